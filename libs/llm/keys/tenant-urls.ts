import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { FieldsmithError, InvalidInputError } from '#libs/common';
import { checkBaseUrl, connectPolicy, type ConnectPolicy } from '../base-url-policy.js';
import { LLM_OPTIONS, type LlmOptions } from '../llm.options.js';

/** Milliseconds that a name has to resolve when it is configured; what it leads to is looked at again at each connection. */
const RESOLVE_MS = 2_000;

/** Where keys of tenants may be used, by the operator's list. */
@Injectable()
export class TenantUrls {
  /** For every connection of a call to an address that a tenant gave. */
  readonly mayConnect: ConnectPolicy;
  private readonly listed = new LRUCache<string, boolean>({ max: 1_000 });
  private readonly allowlist: string[];

  constructor(@Inject(LLM_OPTIONS) { urlAllowlist }: Pick<LlmOptions, 'urlAllowlist'>) {
    this.allowlist = [...urlAllowlist];
    this.mayConnect = connectPolicy({ allowlist: this.allowlist });
  }

  /**
   * For a base URL that is being configured: it must be on the list, and its name may not lead into a private network. A
   * name that does not resolve now is let through, and looked at when it is called.
   *
   * @throws InvalidInputError at `base_url`.
   */
  async check(url: string): Promise<void> {
    checkBaseUrl(url, { allowlist: this.allowlist });
    const parsed = new URL(url);
    const { hostname } = parsed;
    const addresses = await addressesOf(hostname);
    if (addresses.every((address) => this.mayConnect(parsed, address))) return;
    // Not which address: it would let a tenant look up the names of the operator's network.
    const message = `${hostname} leads to an address of a private network: it is refused unless the operator names that address in PROVIDER_URL_ALLOWLIST.`;
    throw new InvalidInputError([{ path: 'base_url', message }]);
  }

  /**
   * For a base URL that was stored: the list may be another one by now.
   *
   * @throws FieldsmithError `base_url_not_allowed`, 422.
   */
  requireListed(url: string): void {
    if (this.isListed(url)) return;
    const message =
      'The base_url of the provider key is not among the addresses that the operator allows any more: store the key with another one.';
    throw new FieldsmithError('base_url_not_allowed', message, { status: 422 });
  }

  private isListed(url: string): boolean {
    const known = this.listed.get(url);
    if (known !== undefined) return known;
    const isListed = passes(() => checkBaseUrl(url, { allowlist: this.allowlist }));
    this.listed.set(url, isListed);
    return isListed;
  }
}

function passes(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof InvalidInputError) return false;
    throw error;
  }
}

async function addressesOf(hostname: string): Promise<string[]> {
  if (isIP(hostname.replace(/^\[|\]$/g, ''))) return [hostname];
  const stop = new AbortController();
  const late = wait(RESOLVE_MS, [], { signal: stop.signal }).catch(() => []);
  // A name that nobody knows now may be known when it is called.
  const found = lookup(hostname, { all: true }).catch(() => []);
  const addresses = await Promise.race([found, late]);
  stop.abort();
  return addresses.map(({ address }: { address: string }) => address);
}
