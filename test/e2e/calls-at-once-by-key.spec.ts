import { jest } from '@jest/globals';
import type { Api, Body } from '../support/api.js';
import { importCsv } from '../support/csv.js';
import { Leads } from '../support/leads.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { promptOf } from '../support/provider-calls.js';
import { InFlightWatch, watchSlots } from '../support/slot-watch.js';
import { setStage, type Stage } from '../support/stage.js';

jest.setTimeout(240_000);

const GLOBAL_LIMIT = 4;
const BACKLOG = 2_000;

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}.`);

describe('calls at once by key', () => {
  let stage: Stage;
  let second: RunningProduct;
  let mostSlots: (key: string) => Promise<number>;

  beforeAll(async () => {
    const env = { OPENAI_MAX_CONCURRENCY: String(GLOBAL_LIMIT), AI_LEASE_MS: '4000' };
    stage = await setStage(env);
    const allowed = { PROVIDER_URL_ALLOWLIST: stage.providerUrl };
    await stage.restart('stop', allowed);
    const { database, providerUrl } = stage;
    second = await startProduct({ database, providerUrl, env: { ...env, ...allowed } });
    mostSlots = await watchSlots(database);
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
  });

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  /** A tenant with a key of its own. */
  async function tenantWithKey(apiKey: string, most: number | null): Promise<Api> {
    const api = await stage.tenant();
    await putKey(api, apiKey, most);
    return api;
  }

  const putKey = (api: Api, apiKey: string, most?: number | null): Promise<Body> =>
    api.ok('PUT', '/provider-keys/openai', {
      api_key: apiKey,
      base_url: `${stage.providerUrl}/v1`,
      max_concurrency: most,
    });

  const attempts = async (api: Api): Promise<{ jobs: number; attempts: number; retries: number }> => {
    const [row] = await stage.database.sql<{ jobs: number; attempts: number; retries: number }>(
      `SELECT count(*)::int AS jobs, sum(attempt)::int AS attempts, sum(retry_count)::int AS retries
         FROM ai_jobs WHERE tenant_id = $1 AND status = 'completed'`,
      [api.tenantId],
    );
    return row!;
  };

  const allDone = (api: Api, count: number): Promise<unknown> =>
    api.until(`${count} jobs are done`, async () => (await attempts(api)).jobs === count);

  it.each([0, 1001, 1.5, '2', []])('are refused as a limit: %j', async (most) => {
    const api = await stage.tenant();
    const body = { api_key: 'sk-limit-0000', base_url: `${stage.providerUrl}/v1`, max_concurrency: most };
    const answer = await api.call('PUT', '/provider-keys/openai', body);
    expect(answer.status).toBe(422);
    for (const { path } of answer.body.errors) expect(path).toBe('max_concurrency');
    expect((await api.get('/provider-keys')).items).toEqual([]);
  });

  it("stay below a tenant's own limit over two processes, and all jobs are done without a retry", async () => {
    const api = await tenantWithKey('sk-own-limit-aaaa', 3);
    expect((await api.get('/provider-keys')).items).toMatchObject([
      { provider: 'openai', max_concurrency: 3 },
    ]);
    const leads = await Leads.of(api);
    stage.simulator.script([{ times: 3, action: { type: 'hold' } }, { latency_ms: 25 }]);
    const watch = new InFlightWatch(stage.simulator, 'aaaa');
    const half = await Leads.of(api.at(second.url));
    await Promise.all([leads.addMany(names('Ada', 30)), half.addMany(names('Grace', 30))]);
    await api.until('the limit is used', () => Promise.resolve(watch.most === 3));
    stage.simulator.release();
    await allDone(api, 60);
    expect(watch.stop()).toBe(3);
    expect(await mostSlots(`openai:${api.tenantId}`)).toBe(3);
    expect(await attempts(api)).toMatchObject({ retries: 0 });
  });

  it('wait without being asked again and again while a long backlog drains', async () => {
    const api = await tenantWithKey('sk-backlog-bbbb', 2);
    const leads = await Leads.of(api);
    const csv = ['name', ...names('Lead', BACKLOG)].join('\n');
    await importCsv(api, leads.pipelineId, csv, '?generate=true');
    await stage.simulator.waitForRequests(BACKLOG);
    await allDone(api, BACKLOG);
    const made = await attempts(api);
    expect(made.retries).toBe(0);
    expect(made.attempts).toBeLessThan(BACKLOG * 1.15);
    expect(await mostSlots(`openai:${api.tenantId}`)).toBe(2);
  });

  it('are shared equally on the global key: who comes later gets its share as calls end', async () => {
    const [early, late] = [await Leads.of(await stage.tenant()), await Leads.of(await stage.tenant())];
    stage.simulator.script([{ action: { type: 'hold' } }]);
    await early.addMany(names('Early', 12));
    await stage.simulator.waitForRequests(GLOBAL_LIMIT);
    await late.addMany(names('Late', 6));
    const inLine = `SELECT FROM ai_jobs WHERE tenant_id = $1 AND wait_reason = 'key_busy' AND error_code = 'provider_key_busy'`;
    for (const { api } of [early, late])
      await api.until('it waits in line', async () => {
        return (await stage.database.sql(inLine, [api.tenantId])).length > 0;
      });
    for (let released = 1; released <= 4; released++) {
      stage.simulator.release(1);
      await stage.simulator.waitForRequests(GLOBAL_LIMIT + released);
    }
    const inFlight = stage.simulator.requests().filter(({ answer }) => !answer);
    const ofLate = inFlight.filter((request) => promptOf(request).includes('Late'));
    expect([inFlight.length, ofLate.length]).toEqual([GLOBAL_LIMIT, GLOBAL_LIMIT / 2]);
    expect(await early.api.get('/ai-jobs/diagnostics')).toMatchObject({
      waiting: { key_busy: expect.any(Number) },
    });
    stage.simulator.clearScript();
    stage.simulator.release();
    await Promise.all([allDone(early.api, 12), allDone(late.api, 6)]);
    expect(await mostSlots('openai:*')).toBe(GLOBAL_LIMIT);
  });

  it('come to nothing where no limit is set: no slot is counted, nobody waits in line', async () => {
    const api = await tenantWithKey('sk-unlimited-cccc', null);
    const leads = await Leads.of(api);
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const added = await leads.addMany(names('Ada', 10));
    await stage.simulator.waitForRequests(10);
    const holds = await stage.database.sql('SELECT key FROM ai_holds WHERE tenant_id = $1', [api.tenantId]);
    expect(holds).toEqual(added.map(() => ({ key: null })));
    stage.simulator.release();
    await allDone(api, 10);
  });

  it('grow at once when the limit is lifted', async () => {
    const api = await tenantWithKey('sk-lifted-dddd', 1);
    const leads = await Leads.of(api);
    stage.simulator.script([{ action: { type: 'hold' } }]);
    await leads.addMany(names('Ada', 8));
    await stage.simulator.waitForRequests(1);
    await api.until('the others wait', async () => {
      const { waiting } = await api.get('/ai-jobs/diagnostics');
      return waiting.key_busy === 7;
    });
    await putKey(api, 'sk-lifted-eeee');
    await stage.simulator.waitForRequests(8);
    stage.simulator.release();
    await allDone(api, 8);
  });

  it('a further call of an attempt keeps its slot, however many wait for one', async () => {
    const api = await tenantWithKey('sk-repair-ffff', 1);
    const leads = await Leads.of(api, { output_type: 'json' });
    stage.simulator.script([
      {
        match: { prompt_includes: 'First' },
        times: 1,
        action: { type: 'hold', then: { type: 'malformed' } },
      },
    ]);
    const { jobId } = await leads.add('First');
    await stage.simulator.waitForRequests(1);
    await leads.addMany(names('Other', 5));
    stage.simulator.release();
    await allDone(api, 6);
    expect(await api.job(jobId)).toMatchObject({ attempts: 1 });
    const order = stage.simulator.requests().map((request) => promptOf(request).includes('First'));
    expect(order).toEqual([true, true, false, false, false, false, false]);
    expect(await mostSlots(`openai:${api.tenantId}`)).toBe(1);
  });

  it('the slots of a killed process come back', async () => {
    const api = await tenantWithKey('sk-killed-gggg', 2);
    const leads = await Leads.of(api);
    stage.simulator.script([{ times: 2, action: { type: 'hold' } }]);
    await leads.addMany(names('Ada', 6));
    await stage.simulator.waitForRequests(2);
    await stage.restart('kill', { PROVIDER_URL_ALLOWLIST: stage.providerUrl });
    const survivor = api.at(second.url);
    stage.simulator.release();
    await allDone(survivor, 6);
    survivor.close();
    expect(await mostSlots(`openai:${api.tenantId}`)).toBe(2);
  });
});
