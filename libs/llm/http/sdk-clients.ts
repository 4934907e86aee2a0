import { hashOf } from '#libs/common';
import { LRUCache } from 'lru-cache';
import type { ConnectPolicy } from '../base-url-policy.js';
import { guardedSend, openSend } from './http-send.js';
import { providerFetch, type Send } from './provider-fetch.js';

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
} as const;

/** What a client of the official SDK is made from, besides {@link SDK_OPTIONS}. */
export interface ClientOptions {
  baseUrl: string;
  apiKey: string;
  fetch: Send;
}

/** Where and as whom to call. */
export interface ClientOf {
  baseUrl: string;
  apiKey: string;
  /** Where connections may go; unset: anywhere. */
  mayConnect?: ConnectPolicy;
}

/** SDK clients, one per base URL and key, the least recently used dropped first. Connections are shared by all. */
export class SdkClients {
  private readonly clients = new LRUCache<string, SdkClient>({ max: MOST_CLIENTS });
  private readonly open = providerFetch(openSend());

  constructor(private readonly create: (options: ClientOptions) => SdkClient) {}

  get({ baseUrl, apiKey, mayConnect }: ClientOf): SdkClient {
    const key = hashOf([baseUrl, apiKey, mayConnect !== undefined]);
    const known = this.clients.get(key);
    if (known) return known;
    const fetch = mayConnect ? providerFetch(guardedSend(mayConnect)) : this.open;
    const client = this.create({ baseUrl, apiKey, fetch });
    this.clients.set(key, client);
    return client;
  }
}
