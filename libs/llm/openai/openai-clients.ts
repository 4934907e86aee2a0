import { hashOf } from '#libs/common';
import { LRUCache } from 'lru-cache';
import { OpenAI } from 'openai';
import { providerFetch } from '../http/provider-fetch.js';

const MOST_CLIENTS = 500;
/** The deadline of each call is ours; the SDK's own ends before the body is read. */
const NO_TIMEOUT_MS = 2_147_483_647;

/** SDK clients, one per base URL and key, the least recently used dropped first. Connections are shared by all. */
export class OpenAiClients {
  private readonly clients = new LRUCache<string, OpenAI>({ max: MOST_CLIENTS });

  get(baseUrl: string, apiKey: string): OpenAI {
    const key = hashOf([baseUrl, apiKey]);
    const known = this.clients.get(key);
    if (known) return known;
    const client = createClient(baseUrl, apiKey);
    this.clients.set(key, client);
    return client;
  }
}

/** Names every option that the SDK would otherwise take from the environment. */
function createClient(baseUrl: string, apiKey: string): OpenAI {
  return new OpenAI({
    apiKey,
    baseURL: baseUrl,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: 'off',
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    fetch: providerFetch,
  });
}
