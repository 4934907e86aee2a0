/** Whose key pays a call. */
export type KeySource = 'tenant' | 'global' | 'simulator';

/** The owner of keys that tenants without one of their own share. */
export const EVERYBODY = '*';

/** The tenant that the state of a key is kept under. */
export function ownerOf(tenantId: string, source: KeySource): string {
  return source === 'tenant' ? tenantId : EVERYBODY;
}

/**
 * Names one key in the database, as `ai_holds.key` and `ai_jobs.wait_key` hold it.
 *
 * @example keyId('openai', '*') // 'openai:*', the global key
 */
export function keyId(provider: string, owner: string): string {
  return `${provider}:${owner}`;
}

/** Takes a {@link keyId} apart. No provider has a colon in its name. */
export function readKeyId(id: string): { provider: string; owner: string } {
  const colon = id.indexOf(':');
  return { provider: id.slice(0, colon), owner: id.slice(colon + 1) };
}

/** What a provider key is sealed for. */
export function purposeOf(provider: string): string {
  return `provider-key:${provider}`;
}
