import { MAX_CENTS } from '#libs/common';
import { ConfigError } from './config.errors.js';
import { EnvReader, type Env } from './env-reader.js';

export const PROCESS_ROLES = ['all', 'api', 'worker'] as const;
export type ProcessRole = (typeof PROCESS_ROLES)[number];

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A provider account that tenants without one of their own share. */
export interface ProviderAccount {
  apiKey?: string;
  baseUrl?: string;
  /** Most calls at once with the key, over all processes and tenants; unset: any number. */
  maxConcurrency?: number;
}

/** Everything the environment decides; frozen. */
export interface Config {
  /** 0 takes any free port: the default of a worker, so that any number of them start side by side. */
  port: number;
  host: string;
  role: ProcessRole;
  dataDir: string;
  /** Unset: embedded Postgres under `dataDir`. */
  databaseUrl?: string;
  /** Connects as the owner of the schema, for migrations; set whenever `databaseUrl` is. */
  databaseOwnerUrl?: string;
  /** Unset: in-process delivery. */
  redisUrl?: string;
  /** Of the keys in Redis, so that installations can share one. */
  redisPrefix?: string;
  /** Opens what is the operator's; unset: nothing does. */
  operatorToken?: string;
  /** 32 bytes. Unset only with embedded Postgres: then one is made and kept under `dataDir`. */
  masterKey?: Buffer;
  /** Older master keys, which open what they sealed. */
  previousMasterKeys: readonly Buffer[];
  openai: Readonly<ProviderAccount>;
  anthropic: Readonly<ProviderAccount>;
  /** Base URLs that tenants may name, as `libs/llm` reads them. */
  /** Most calls at once to the simulator, where it stands in for a provider. */
  simulatorMaxConcurrency?: number;
  providerUrlAllowlist: readonly string[];
  demo: boolean;
  logLevel: LogLevel;
  /** What scrapers of `/metrics` must send; unset: anybody may read them. */
  metricsToken?: string;
  throttle: Readonly<ThrottleConfig>;
  ai: Readonly<AiConfig>;
}

/** How many requests are let through, as averages over a window. */
export interface ThrottleConfig {
  /** Of each principal; at least 100, which the contract promises. */
  principalPerSecond: number;
  /** Of all principals of a tenant together. */
  tenantPerSecond: number;
  /** Of each network address, where nobody is signed in. */
  addressPerSecond: number;
  windowSeconds: number;
}

export interface AiConfig {
  defaultModel: string;
  /** 0 to 2. */
  defaultTemperature: number;
  /** Tokens of one answer at most. */
  defaultMaxTokens: number;
  cacheTtlSeconds: number;
  /** Cents a month for each AI field without a limit of its own; unset: none. */
  defaultFieldBudgetCents?: number;
  /** Retries after the first attempt. */
  maxRetries: number;
  retryBaseMs: number;
  /** What one call to a provider may take. */
  providerTimeoutMs: number;
  /** Jobs one process works on at a time. */
  workerConcurrency: number;
  /** Jobs of one tenant that are in flight at a time, in each lane. */
  tenantWindow: number;
  sweepIntervalMs: number;
  leaseMs: number;
  /** Milliseconds between two tries of a provider key that fails. */
  probeIntervalMs: number;
  /** Months before this one that the ledger keeps; unset: all. */
  ledgerRetentionMonths?: number;
}

/** Requests of one principal that are never too many. */
export const LEAST_PER_SECOND = 100;
const CONCURRENCY = { min: 1, max: 100_000 };

/**
 * Reads the environment once.
 *
 * @throws ConfigError with one line for every variable that is wrong.
 * @example
 * const config = readConfig(process.env);
 */
export function readConfig(env: Env): Config {
  const read = new EnvReader(env);
  const role = read.oneOf('ROLE', PROCESS_ROLES, 'all');
  const config: Config = {
    port: read.integer('PORT', { min: 0, max: 65_535, fallback: role === 'worker' ? 0 : 3000 }),
    host: read.text('HOST') ?? '127.0.0.1',
    role,
    dataDir: read.text('DATA_DIR') ?? './.data',
    ...databases(read),
    redisPrefix: redisPrefix(read),
    operatorToken: read.secret('OPERATOR_TOKEN', 16),
    masterKey: read.key('MASTER_KEY'),
    previousMasterKeys: read.keyList('MASTER_KEY_PREVIOUS'),
    openai: account(read, 'OPENAI'),
    anthropic: account(read, 'ANTHROPIC'),
    simulatorMaxConcurrency: read.optionalInteger('SIMULATOR_MAX_CONCURRENCY', CONCURRENCY),
    providerUrlAllowlist: allowlist(read),
    demo: read.flag('DEMO', read.text('DATABASE_URL') === undefined),
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    metricsToken: read.text('METRICS_TOKEN'),
    throttle: throttleConfig(read),
    ai: aiConfig(read),
  };
  checkTogether(read, config.role);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return Object.freeze(config);
}

function databases(read: EnvReader): Pick<Config, 'databaseUrl' | 'databaseOwnerUrl' | 'redisUrl'> {
  const postgres = ['postgres:', 'postgresql:'];
  const example = 'postgres://user:password@host:5432/fieldsmith';
  const databaseUrl = read.url('DATABASE_URL', postgres, example);
  const ownerUrl = read.url('DATABASE_OWNER_URL', postgres, example);
  const redisUrl = read.url('REDIS_URL', ['redis:', 'rediss:'], 'redis://host:6379');
  return { databaseUrl, databaseOwnerUrl: ownerUrl ?? databaseUrl, redisUrl };
}

function redisPrefix(read: EnvReader): string | undefined {
  const prefix = read.text('REDIS_PREFIX');
  if (prefix === undefined || /^[\w{}.-]{1,60}$/.test(prefix)) return prefix;
  read.refuse('REDIS_PREFIX', prefix, 'must be up to 60 letters, digits, or _ - . { }; unset it for {bull}');
  return undefined;
}

function account(read: EnvReader, provider: 'OPENAI' | 'ANTHROPIC'): Readonly<ProviderAccount> {
  const example = provider === 'OPENAI' ? 'https://api.openai.com/v1' : 'https://api.anthropic.com';
  return Object.freeze({
    apiKey: read.text(`${provider}_API_KEY`),
    baseUrl: read.url(`${provider}_BASE_URL`, ['http:', 'https:'], example),
    maxConcurrency: read.optionalInteger(`${provider}_MAX_CONCURRENCY`, CONCURRENCY),
  });
}

function allowlist(read: EnvReader): readonly string[] {
  const entries = read.list('PROVIDER_URL_ALLOWLIST');
  for (const entry of entries) {
    if (URL.canParse(entry.replace('//*.', '//any.')) && /^https?:/i.test(entry)) continue;
    read.refuse('PROVIDER_URL_ALLOWLIST', entry, 'each entry must be like https://llm.example.com/v1');
  }
  return Object.freeze(entries);
}

function throttleConfig(read: EnvReader): Readonly<ThrottleConfig> {
  const perSecond = (name: string, min: number, fallback: number) =>
    read.integer(name, { min, max: 1_000_000, fallback });
  const config = Object.freeze({
    principalPerSecond: perSecond('THROTTLE_PRINCIPAL_PER_SECOND', LEAST_PER_SECOND, 500),
    tenantPerSecond: perSecond('THROTTLE_TENANT_PER_SECOND', LEAST_PER_SECOND, 1000),
    addressPerSecond: perSecond('THROTTLE_ADDRESS_PER_SECOND', 1, 50),
    windowSeconds: read.integer('THROTTLE_WINDOW_SECONDS', { min: 1, max: 60, fallback: 10 }),
  });
  if (config.tenantPerSecond < config.principalPerSecond) {
    const remedy = `must be at least THROTTLE_PRINCIPAL_PER_SECOND, which is ${config.principalPerSecond}`;
    read.refuse('THROTTLE_TENANT_PER_SECOND', String(config.tenantPerSecond), remedy);
  }
  return config;
}

function aiConfig(read: EnvReader): Readonly<AiConfig> {
  return Object.freeze({
    defaultModel: read.text('AI_DEFAULT_MODEL') ?? 'gpt-4o-mini',
    defaultTemperature: read.decimal('AI_DEFAULT_TEMPERATURE', { min: 0, max: 2, fallback: 0.3 }),
    defaultMaxTokens: read.integer('AI_DEFAULT_MAX_TOKENS', { min: 1, max: 1_000_000, fallback: 1000 }),
    defaultFieldBudgetCents: read.optionalCents('AI_DEFAULT_FIELD_BUDGET_CENTS', MAX_CENTS),
    cacheTtlSeconds: read.integer('AI_CACHE_TTL', { min: 0, max: 31_536_000, fallback: 3600 }),
    maxRetries: read.integer('AI_MAX_RETRIES', { min: 0, max: 20, fallback: 3 }),
    retryBaseMs: read.integer('AI_RETRY_BASE_MS', { min: 1, max: 3_600_000, fallback: 5000 }),
    providerTimeoutMs: read.integer('AI_PROVIDER_TIMEOUT_MS', { min: 50, max: 3_600_000, fallback: 120_000 }),
    workerConcurrency: read.integer('AI_WORKER_CONCURRENCY', { min: 1, max: 1000, fallback: 20 }),
    tenantWindow: read.integer('AI_TENANT_WINDOW', { min: 1, max: 10_000, fallback: 16 }),
    sweepIntervalMs: read.integer('AI_SWEEP_INTERVAL_MS', { min: 10, max: 3_600_000, fallback: 1000 }),
    leaseMs: read.integer('AI_LEASE_MS', { min: 100, max: 3_600_000, fallback: 30_000 }),
    probeIntervalMs: read.integer('AI_PROBE_INTERVAL_MS', { min: 10, max: 3_600_000, fallback: 5000 }),
    ledgerRetentionMonths: read.optionalInteger('AI_LEDGER_RETENTION_MONTHS', { min: 1, max: 1200 }),
  });
}

function checkTogether(read: EnvReader, role: ProcessRole): void {
  const isSet = (name: string) => read.text(name) !== undefined;
  if (isSet('DATABASE_URL') && !isSet('MASTER_KEY')) {
    read.problem('MASTER_KEY', 'must be set with DATABASE_URL; make one with: openssl rand -base64 32');
  }
  if (isSet('MASTER_KEY_PREVIOUS') && !isSet('MASTER_KEY')) {
    read.problem('MASTER_KEY_PREVIOUS', 'needs MASTER_KEY, the key that takes its place');
  }
  if (isSet('DATABASE_OWNER_URL') && !isSet('DATABASE_URL')) {
    read.problem('DATABASE_OWNER_URL', 'needs DATABASE_URL, which is not set');
  }
  const missing = ['DATABASE_URL', 'REDIS_URL'].filter((name) => !isSet(name));
  if (role !== 'all' && missing.length > 0) {
    const remedy = `needs ${missing.join(' and ')}, which the processes share; or set ROLE=all`;
    read.refuse('ROLE', role, remedy);
  }
}
