import { hashOf } from '#libs/common';
import { LRUCache } from 'lru-cache';
import { providerFetch } from './provider-fetch.js';

const MOST_CLIENTS = 500;
/** The deadline of each call is ours; the SDKs' own ends before the body is read. */
const NO_TIMEOUT_MS = 2_147_483_647;

/** What is used of the official clients, which are made alike. */
export interface SdkClient {
  post(path: string, options: SdkRequest): { asResponse(): Promise<Response> };
  get(path: string, options: SdkRequest): { asResponse(): Promise<Response> };
}

export interface SdkRequest {
  body?: unknown;
  signal: AbortSignal;
}

/** Options that every client is made with: no retries, no deadline and no voice of its own. */
export const SDK_OPTIONS = {
  logLevel: 'off',
  maxRetries: 0,
  timeout: NO_TIMEOUT_MS,
  fetch: providerFetch,
} as const;

/** SDK clients, one per base URL and key, the least recently used dropped first. Connections are shared by all. */
export class SdkClients {
  private readonly clients = new LRUCache<string, SdkClient>({ max: MOST_CLIENTS });

  constructor(private readonly create: (baseUrl: string, apiKey: string) => SdkClient) {}

  get(baseUrl: string, apiKey: string): SdkClient {
    const key = hashOf([baseUrl, apiKey]);
    const known = this.clients.get(key);
    if (known) return known;
    const client = this.create(baseUrl, apiKey);
    this.clients.set(key, client);
    return client;
  }
}
