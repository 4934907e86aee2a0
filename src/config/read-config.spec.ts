import { ConfigError } from './config.errors.js';
import { readConfig } from './read-config.js';

const key = Buffer.alloc(32, 7);
const split = {
  DATABASE_URL: 'postgres://u:pw@db/x',
  REDIS_URL: 'redis://r',
  MASTER_KEY: key.toString('base64'),
};

function problemsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('readConfig', () => {
  it('needs nothing', () => {
    expect(readConfig({})).toMatchObject({
      port: 3000,
      host: '127.0.0.1',
      role: 'all',
      dataDir: './.data',
      demo: true,
      logLevel: 'info',
      providerUrlAllowlist: [],
      ai: {
        defaultModel: 'gpt-4o-mini',
        defaultTemperature: 0.3,
        defaultMaxTokens: 1000,
        cacheTtlSeconds: 3600,
        maxRetries: 3,
        retryBaseMs: 5000,
        providerTimeoutMs: 120_000,
        workerConcurrency: 20,
        tenantWindow: 16,
        sweepIntervalMs: 1000,
        leaseMs: 30_000,
        probeIntervalMs: 5000,
      },
    });
    expect(readConfig({}).masterKey).toBeUndefined();
  });

  it('reads what is set, and takes an empty variable for unset', () => {
    const config = readConfig({
      ...split,
      ROLE: 'worker',
      PORT: '0',
      HOST: ' ',
      LOG_LEVEL: 'Debug',
      DEMO: '1',
    });
    expect(config).toMatchObject({
      role: 'worker',
      port: 0,
      host: '127.0.0.1',
      logLevel: 'debug',
      demo: true,
    });
    expect(config.masterKey).toEqual(key);
    expect(config.databaseOwnerUrl).toBe(split.DATABASE_URL);
    expect(Object.isFrozen(config) && Object.isFrozen(config.ai)).toBe(true);
  });

  it('lets workers take any port, so that several start side by side', () => {
    expect(readConfig({ ...split, ROLE: 'worker' }).port).toBe(0);
    expect(readConfig({ ...split, ROLE: 'worker', PORT: '8080' }).port).toBe(8080);
    expect(readConfig({ ...split, ROLE: 'api' }).port).toBe(3000);
  });

  it('limits calls at once with a key only where that is asked for', () => {
    const none = readConfig({ OPENAI_MAX_CONCURRENCY: '' });
    expect([none.openai, none.anthropic, none.simulatorMaxConcurrency]).toEqual([{}, {}, undefined]);
    const some = readConfig({ OPENAI_MAX_CONCURRENCY: '20', SIMULATOR_MAX_CONCURRENCY: '3' });
    expect([some.openai, some.anthropic, some.simulatorMaxConcurrency]).toEqual([
      { maxConcurrency: 20 },
      {},
      3,
    ]);
  });

  it('keeps the ledger for ever unless told for how long', () => {
    expect(readConfig({}).ai.ledgerRetentionMonths).toBeUndefined();
    expect(readConfig({ AI_LEDGER_RETENTION_MONTHS: '24' }).ai.ledgerRetentionMonths).toBe(24);
  });

  it('gives fields a budget by default only where that is asked for, to a fraction of a cent', () => {
    expect(readConfig({}).ai.defaultFieldBudgetCents).toBeUndefined();
    expect(readConfig({ AI_DEFAULT_FIELD_BUDGET_CENTS: '0.0000001' }).ai.defaultFieldBudgetCents).toBe(1e-7);
    expect(readConfig({ AI_DEFAULT_FIELD_BUDGET_CENTS: '0' }).ai.defaultFieldBudgetCents).toBe(0);
  });

  it('throttles nobody below 100 requests a second, and a tenant no sooner than a principal', () => {
    const { throttle } = readConfig({});
    expect(throttle).toEqual({
      principalPerSecond: 500,
      tenantPerSecond: 1000,
      addressPerSecond: 50,
      windowSeconds: 10,
    });
    expect(problemsOf({ THROTTLE_PRINCIPAL_PER_SECOND: '300', THROTTLE_TENANT_PER_SECOND: '200' })).toEqual([
      expect.stringMatching(/^THROTTLE_TENANT_PER_SECOND is "200" but must be at least .* 300\.$/),
    ]);
  });

  it('seeds no demo into a database of its own unless told to', () => {
    expect(readConfig(split).demo).toBe(false);
    expect(readConfig({ DEMO: '0' }).demo).toBe(false);
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', '80 80'],
    ['PORT', '-1'],
    ['PORT', '0x10'],
    ['ROLE', 'server'],
    ['DEMO', 'yes please'],
    ['LOG_LEVEL', 'loud'],
    ['AI_DEFAULT_TEMPERATURE', '2.5'],
    ['AI_MAX_RETRIES', '1.5'],
    ['AI_LEASE_MS', '1'],
    ['REDIS_PREFIX', 'a:b'],
    ['OPENAI_MAX_CONCURRENCY', '0'],
    ['ANTHROPIC_MAX_CONCURRENCY', '2.5'],
    ['SIMULATOR_MAX_CONCURRENCY', 'many'],
    ['THROTTLE_PRINCIPAL_PER_SECOND', '99'],
    ['THROTTLE_TENANT_PER_SECOND', '99'],
    ['THROTTLE_ADDRESS_PER_SECOND', '0'],
    ['THROTTLE_WINDOW_SECONDS', '61'],
    ['AI_LEDGER_RETENTION_MONTHS', '0'],
    ['AI_DEFAULT_FIELD_BUDGET_CENTS', '-1'],
    ['AI_DEFAULT_FIELD_BUDGET_CENTS', '0.00000001'],
    ['PROVIDER_URL_ALLOWLIST', 'llm.example.com'],
  ])('refuses %s=%s in one line with the value and a remedy', (name, value) => {
    const [problem, ...more] = problemsOf({ [name]: value });
    expect(more).toEqual([]);
    expect(problem).toMatch(new RegExp(`^${name} is "[^"]+" but [^\\n]+\\.$`));
    expect(problem).toContain(value.split(/[\s,]/)[0]);
  });

  it.each([
    ['MASTER_KEY', 'c2hvcnQ='],
    ['MASTER_KEY_PREVIOUS', `${key.toString('base64')},topsecret`],
    ['DATABASE_URL', 'mysql://root:topsecret@db'],
    ['REDIS_URL', 'topsecret'],
    ['OPENAI_BASE_URL', 'ftp://user:topsecret@host'],
    ['OPERATOR_TOKEN', 'topsecret'],
    ['OPERATOR_TOKEN', 'topsecret with spaces in it'],
  ])('refuses %s without repeating it', (name, value) => {
    const problems = problemsOf({ ...split, [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} must `));
    expect(problems[0]).not.toContain(value);
    expect(problems[0]).not.toContain('topsecret');
  });

  it('tells everything that is wrong at once', () => {
    expect(problemsOf({ PORT: 'x', ROLE: 'api', DATABASE_OWNER_URL: 'postgres://a/b' })).toEqual([
      expect.stringMatching(/^PORT is "x"/),
      expect.stringMatching(/^DATABASE_OWNER_URL needs DATABASE_URL/),
      expect.stringMatching(/^ROLE is "api" but needs DATABASE_URL and REDIS_URL/),
    ]);
  });

  it('reads older master keys, which need the one that takes their place', () => {
    const old = [1, 2].map((byte) => Buffer.alloc(32, byte));
    const previous = old.map((each) => each.toString('base64')).join(', ');
    expect(readConfig({ ...split, MASTER_KEY_PREVIOUS: previous }).previousMasterKeys).toEqual(old);
    expect(readConfig(split).previousMasterKeys).toEqual([]);
    expect(problemsOf({ MASTER_KEY_PREVIOUS: previous })).toEqual([
      expect.stringMatching(/^MASTER_KEY_PREVIOUS needs MASTER_KEY/),
    ]);
  });

  it('wants a master key with a database of its own', () => {
    expect(problemsOf({ DATABASE_URL: split.DATABASE_URL })).toEqual([
      expect.stringMatching(/^MASTER_KEY must be set/),
    ]);
  });
});
