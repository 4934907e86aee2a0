/** What the tenants module is given by the host. */
export interface TenantsOptions {
  /** 32 bytes that seal the secrets of all tenants. */
  masterKey: Buffer;
  /** Older master keys: they open what they sealed, and seal nothing any more; default: none. */
  previousMasterKeys?: readonly Buffer[];
  /** What a tenant has before it sets anything. */
  defaults: TenantSettings;
}

/** AI settings of one tenant. */
export interface TenantSettings {
  defaultModel: string;
  /** 0 to 2; undefined leaves it to the provider. */
  defaultTemperature?: number;
  /** Upper bound of tokens in one answer. */
  defaultMaxTokens: number;
  /** Seconds for which results are reused, unless a field says otherwise. */
  cacheSeconds: number;
  enableTools: boolean;
  /** Field slugs that never reach a prompt, on any pipeline. */
  deniedFields: string[];
  /** Days that prompts and answers are kept. */
  contentRetentionDays: number;
  /** Whether calls go by the host's provider keys where the tenant has none of its own. */
  allowGlobalKeys: boolean;
}

/** Nest token of the {@link TenantsOptions}. */
export const TENANTS_OPTIONS = Symbol('TENANTS_OPTIONS');
