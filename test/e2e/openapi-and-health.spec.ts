import { createDatabase } from '../support/database.js';
import { Leads } from '../support/leads.js';
import { scrape, sum } from '../support/metrics.js';
import { startProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

/** Paths of the contract, without their base; a parameter is any name in braces. */
const CONTRACT: Record<string, string[]> = {
  '/auth/register': ['post'],
  '/auth/login': ['post'],
  '/auth/me': ['get', 'patch'],
  '/users': ['get', 'post'],
  '/users/{}': ['patch', 'delete'],
  '/pipelines': ['get', 'post'],
  '/pipelines/{}': ['get', 'patch', 'delete'],
  '/pipelines/{}/fields': ['post'],
  '/pipelines/{}/fields/{}': ['patch', 'delete'],
  '/pipelines/{}/records': ['get', 'post'],
  '/records/{}': ['get', 'patch', 'delete'],
  '/pipelines/{}/import': ['post'],
  '/events': ['get'],
  '/ai-fields/preview': ['post'],
  '/ai-fields/try': ['post'],
  '/records/{}/ai/{}/generate': ['post'],
  '/pipelines/{}/ai/{}/generate': ['post'],
  '/ai-runs/{}': ['get'],
  '/ai-runs/{}/stop': ['post'],
  '/pipelines/{}/ai/states': ['get'],
  '/records/{}/ai/{}/feedback': ['post'],
  '/records/{}/ai/{}/stop': ['post'],
  '/records/{}/ai/{}/reset': ['post'],
  '/records/{}/ai/{}/history': ['get'],
  '/records/{}/ai/{}/restore': ['post'],
  '/workflow-ai': ['post'],
  '/ai-jobs': ['get'],
  '/ai-jobs/{}': ['get'],
  '/ai-jobs/{}/retry': ['post'],
  '/ai-jobs/{}/cancel': ['post'],
  '/ai-jobs/worker_health': ['get'],
  '/ai-jobs/bulk_retry': ['post'],
  '/ai-jobs/queue_pending': ['post'],
  '/ai-jobs/diagnostics': ['get'],
  '/ai-settings': ['get', 'patch'],
  '/provider-keys': ['get'],
  '/provider-keys/{}': ['put', 'delete'],
  '/provider-keys/{}/test': ['post'],
  '/budgets': ['get'],
  '/budgets/{}/{}': ['put', 'delete'],
  '/budgets/{}/{}/retry_blocked': ['post'],
  '/budgets/unconfirmed': ['get'],
  '/budgets/unconfirmed/{}/{}/{}/release': ['post'],
  '/stopped-models': ['get'],
  '/stopped-models/{}/{}': ['delete'],
  '/model-prices': ['get', 'put', 'delete'],
  '/audit-log': ['get'],
  '/ai-analytics/usage': ['get'],
  '/ai-analytics/costs': ['get'],
  '/ai-analytics/performance': ['get'],
};

interface OpenApi {
  openapi: string;
  paths: Record<
    string,
    Record<string, { requestBody?: { content: Record<string, { schema: { $ref?: string } }> } }>
  >;
  components: { schemas: Record<string, { properties?: Record<string, unknown>; required?: string[] }> };
}

describe('what the product tells of itself', () => {
  let stage: Stage;
  let contract: OpenApi;

  beforeAll(async () => {
    stage = await setStage();
    contract = (await (await get('/api/openapi.json')).json()) as OpenApi;
  });

  afterAll(() => stage.close());

  const get = (path: string, init: RequestInit = {}) => fetch(`${stage.product.url}${path}`, init);

  it('is an OpenAPI document with every path of the contract', () => {
    expect(contract.openapi).toMatch(/^3\./);
    const served = new Map<string, string[]>();
    for (const [path, methods] of Object.entries(contract.paths)) {
      const key = path.replace(/^\/api\/v1/, '').replace(/\{[^}]+\}/g, '{}');
      served.set(key, [...(served.get(key) ?? []), ...Object.keys(methods)]);
    }
    for (const [path, methods] of Object.entries(CONTRACT)) {
      expect([path, served.get(path)]).toEqual([path, expect.arrayContaining(methods)]);
    }
  });

  it('has bodies with their members, and no reference that leads nowhere', () => {
    const ref =
      contract.paths['/api/v1/auth/register']?.['post']?.requestBody?.content['application/json']?.schema
        .$ref;
    expect(ref).toBe('#/components/schemas/RegisterDto');
    expect(Object.keys(contract.components.schemas['RegisterDto']?.properties ?? {}).sort()).toEqual([
      'email',
      'password',
      'tenant_name',
    ]);
    const { fields } = contract.components.schemas['NewPipelineDto']?.properties ?? {};
    expect(fields).toMatchObject({ type: 'array', items: { $ref: '#/components/schemas/FieldDto' } });
    const references = JSON.stringify(contract).match(/#\/components\/schemas\/\w+/g) ?? [];
    const names = new Set(references.map((reference) => reference.split('/').at(-1)!));
    expect([...names].filter((name) => !(name in contract.components.schemas))).toEqual([]);
  });

  it('can be browsed, and the home page leads there', async () => {
    const docs = await get('/api/docs');
    expect(docs.status).toBe(200);
    expect(docs.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await docs.text()).toContain('swagger-ui');
    const home = await get('/', { redirect: 'manual' });
    expect(home.status).toBeLessThan(400);
  });

  it('is alive and ready without a sign-in', async () => {
    const live = await get('/health/live');
    expect([live.status, await live.json()]).toEqual([200, { status: 'ok' }]);
    const ready = await get('/health/ready');
    const up = { status: 'up', response_ms: expect.any(Number) };
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ok', checks: { accepting: up, postgres: up, migrations: up } },
    ]);
  });

  it('is alive but not ready where the database is gone', async () => {
    const database = await createDatabase();
    const product = await startProduct({
      database,
      providerUrl: stage.providerUrl,
      env: { LOG_LEVEL: 'fatal' },
    });
    await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`);
    await database.drop();
    const ready = await fetch(`${product.url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(ready.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await ready.json()).toMatchObject({
      status: 503,
      code: 'not_ready',
      detail: 'The database does not answer.',
      errors: [{ path: 'postgres' }, { path: 'migrations' }],
    });
    expect((await fetch(`${product.url}/health/live`)).status).toBe(200);
    const metrics = await scrape(product.url);
    expect(sum(metrics, 'fieldsmith_database_up')).toBe(0);
    expect(metrics.filter(({ name }) => name === 'fieldsmith_jobs_open')).toEqual([]);
    await product.kill();
  });

  it('is not ready where the database lacks a migration', async () => {
    const { sql } = stage.database;
    const [last] = await sql<{ name: string }>(
      'DELETE FROM migrations WHERE id = (SELECT max(id) FROM migrations) RETURNING name',
    );
    const ready = await get('/health/ready');
    await sql('INSERT INTO migrations (timestamp, name) VALUES ($1, $2)', [
      last!.name.replace(/\D/g, ''),
      last!.name,
    ]);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ code: 'not_ready', errors: [{ path: 'migrations' }] });
    expect((await get('/health/ready')).status).toBe(200);
  });

  it('is alive but not ready while it finishes what is in flight', async () => {
    const { database, providerUrl } = stage;
    const product = await startProduct({ database, providerUrl });
    // Whichever of the two processes works on it: the other one goes first.
    const api = (await stage.tenant()).at(product.url);
    const leads = await Leads.of(api);
    stage.simulator.script([{ action: { type: 'hold' } }]);
    await stage.restart('stop');
    const { jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(1);
    const { workers } = await api.get('/ai-jobs/worker_health');
    const busy = workers.find(({ jobs }: { jobs: number }) => jobs === 1).id as string;
    const mine = busy.includes(`:${product.process.pid}:`);
    const [stopping, other] = mine ? [product, stage.product] : [stage.product, product];
    const ended = stopping.stop();
    const ready = await api.until('it is not ready', async () => {
      const answer = await fetch(`${stopping.url}/health/ready`);
      return answer.status === 503 && (await answer.json());
    });
    expect(ready).toMatchObject({ code: 'not_ready', errors: [{ path: 'accepting' }] });
    expect((await fetch(`${stopping.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${other.url}/health/ready`)).status).toBe(200);
    stage.simulator.release();
    expect(await ended).toBe(0);
    expect((await api.at(other.url).get(`/ai-jobs/${jobId}`)).status).toBe('completed');
    api.close();
    if (mine) return;
    await product.stop();
    stage.product = await startProduct({ database, providerUrl });
  });
});
