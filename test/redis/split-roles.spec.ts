import type { Api } from '../support/api.js';
import { createDatabase, setting } from '../support/database.js';
import { Leads } from '../support/leads.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';
import { startWorker } from '../support/workers.js';

const LEADS = 12;
const LEASE_MS = '3000';

describe('API and workers as processes of their own', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;
  let workers: RunningProduct[] = [];
  let env: Record<string, string>;

  beforeAll(async () => {
    env = {
      REDIS_URL: setting('TEST_REDIS_URL'),
      REDIS_PREFIX: '{split-roles}',
      AI_WORKER_CONCURRENCY: '2',
      AI_LEASE_MS: LEASE_MS,
    };
    stage = await setStage({ ...env, ROLE: 'api' });
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  afterAll(() => stage.close());

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  afterEach(async () => {
    stage.simulator.release();
    await Promise.all(workers.map((worker) => worker.stop()));
    workers = [];
  });

  async function start(count: number): Promise<void> {
    workers = await Promise.all(Array.from({ length: count }, () => startWorker(stage, env)));
  }

  const workerIds = async (status: string): Promise<string[]> => {
    const rows = await stage.database.sql<{ worker_id: string }>(
      'SELECT worker_id FROM ai_jobs WHERE tenant_id = $1 AND status = $2',
      [api.tenantId, status],
    );
    return rows.map(({ worker_id }) => worker_id);
  };

  it('the API works on nothing; the first worker that comes does', async () => {
    const { jobId } = await leads.add('Ada');
    expect(await api.get(`/ai-jobs/${jobId}`)).toMatchObject({ status: 'pending', attempts: 0 });
    await start(1);
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', outcome: 'generated' });
    const [worker] = await workerIds('completed');
    expect(worker).toContain(`:${workers[0]!.process.pid}:`);
  });

  it('two workers share the work, each up to its slots', async () => {
    await start(2);
    stage.simulator.script([{ times: 4, action: { type: 'hold' } }]);
    const added = await leads.addMany(Array.from({ length: LEADS }, (_, n) => `Lead ${n}`));
    await stage.simulator.waitForRequests(4);
    const working = await workerIds('processing');
    for (const { process: running } of workers) {
      expect(working.filter((id) => id.includes(`:${running.pid}:`))).toHaveLength(2);
    }
    stage.simulator.release();
    for (const { jobId } of added) expect((await api.job(jobId)).status).toBe('completed');
    expect(stage.simulator.requests()).toHaveLength(LEADS);
  });

  it('a worker that is told to stop ends its calls, gives back what it has not begun, and exits 0', async () => {
    await start(1);
    stage.simulator.script([{ times: 2, action: { type: 'hold' } }]);
    const added = await leads.addMany(['Grace', 'Edsger', 'Barbara', 'Tony'].map((name) => `${name} stays`));
    await stage.simulator.waitForRequests(2);
    const [first] = workers as [RunningProduct];
    const stopped = first.stop();
    await api.until('it has heard', () => Promise.resolve(first.output().includes('SIGTERM')));
    await start(1);
    stage.simulator.release();
    expect(await stopped).toBe(0);
    for (const { jobId } of added) {
      expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1, retry_count: 0 });
    }
    expect(stage.simulator.requests()).toHaveLength(4);
  });

  it('a worker that is killed is replaced by another one', async () => {
    await start(2);
    stage.simulator.script([{ times: 4, action: { type: 'hold' } }]);
    const added = await leads.addMany(['Kay', 'Jean', 'Fran', 'Betty'].map((name) => `${name} works`));
    await stage.simulator.waitForRequests(4);
    await workers.pop()!.kill();
    stage.simulator.release();
    const ended = await Promise.all(added.map(({ jobId }) => api.job(jobId)));
    expect(ended.map(({ status }) => status)).toEqual(Array(4).fill('completed'));
    expect(ended.map(({ attempts }) => attempts).sort()).toEqual([1, 1, 2, 2]);
  });

  it('a worker answers health and nothing else, on a port of its own', async () => {
    await start(2);
    const ports = new Set([stage.product, ...workers].map(({ url }) => new URL(url).port));
    expect(ports.size).toBe(3);
    const [{ url }] = workers as [RunningProduct];
    const statusOf = async (path: string, init?: RequestInit) => (await fetch(`${url}${path}`, init)).status;
    expect(await statusOf('/health/live')).toBe(200);
    // It serves as soon as it can and is ready once Redis has answered, which may be a moment later.
    await api.until('it is ready', async () => (await statusOf('/health/ready')) === 200);
    const login = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    for (const path of [
      '/',
      '/api/docs',
      '/api/openapi.json',
      '/api/v1/auth/me',
      '/admin/queues',
      '/health/x/y',
    ]) {
      expect([path, await statusOf(path)]).toEqual([path, 404]);
    }
    const refused = await fetch(`${url}/api/v1/auth/login`, login);
    expect(refused.status).toBe(404);
    expect(await refused.json()).toMatchObject({
      code: 'not_found',
      detail: expect.stringContaining('worker'),
    });
  });

  it('any number of them start together on an empty database: one migrates, one seeds the demo', async () => {
    const database = await createDatabase({ template: false });
    const roles = ['api', 'api', 'worker', 'worker'];
    const together = await Promise.all(
      roles.map((ROLE) => {
        const more = { ...env, REDIS_PREFIX: '{together}', ROLE, DEMO: '1', LOG_LEVEL: 'info' };
        return startProduct({ database, providerUrl: stage.providerUrl, env: more });
      }),
    );
    try {
      const said = (text: string) => together.filter((product) => product.output().includes(text)).length;
      expect(said('migrations were run')).toBe(1);
      expect(said('The demo tenant has 503 companies')).toBe(1);
      expect(said('Demo sign-in: demo@example.com')).toBe(2);
      const tenants = await database.sql<{ count: number }>('SELECT count(*)::int AS count FROM pipelines');
      expect(tenants).toEqual([{ count: 1 }]);
    } finally {
      await Promise.all(together.map((product) => product.stop()));
      await database.drop();
    }
  });
});
