import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

const PAUSE_S = 10;
const GLOBAL_KEY = 'sk-global-test';
const ANTHROPIC = { provider: 'anthropic', model: 'claude-haiku-4-5' };

describe('a pause is of one key', () => {
  let stage: Stage;
  let second: RunningProduct;

  beforeAll(async () => {
    stage = await setStage();
    const env = { PROVIDER_URL_ALLOWLIST: stage.providerUrl };
    await stage.restart('stop', env);
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl, env });
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
  });

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  async function tenantWithKey(apiKey: string): Promise<Api> {
    const api = await stage.tenant();
    const key = { api_key: apiKey, base_url: `${stage.providerUrl}/v1` };
    await api.ok('PUT', '/provider-keys/openai', key);
    return api;
  }

  const limitOnce = (apiKey: string) =>
    stage.simulator.script([
      { match: { api_key: apiKey }, times: 1, action: { type: 'rate_limit', retry_after_s: PAUSE_S } },
    ]);

  /** When the key of this owner may be used again. */
  async function pausedUntil(owner: string): Promise<number> {
    const [row] = await stage.database.sql<{ paused_until: Date }>(
      `SELECT paused_until FROM ai_key_pauses WHERE tenant_id = $1 AND provider = 'openai'`,
      [owner],
    );
    return row!.paused_until.getTime();
  }

  const waits = (api: Api, id: string): Promise<Body> =>
    api.until('the job waits for the key', async () => {
      const job = await api.get(`/ai-jobs/${id}`);
      return job.wait_reason === 'rate_limit' && job;
    });

  const arrivals = (apiKey: string) =>
    stage.simulator
      .requests()
      .filter((request) => request.api_key_last_four === apiKey.slice(-4))
      .map(({ time }) => Date.parse(time));

  it("of a tenant's own key: the global key and its other provider go on; both processes keep to it", async () => {
    const apiKey = 'sk-own-paused';
    const api = await tenantWithKey(apiKey);
    const [leads, elsewhere] = [await Leads.of(api), await Leads.of(api.at(second.url))];
    const [shared, other] = [await Leads.of(await stage.tenant()), await Leads.of(api, ANTHROPIC)];
    limitOnce(apiKey);
    const first = await leads.add('Ada');
    await waits(api, first.jobId);
    const until = await pausedUntil(api.tenantId);
    const added = await Promise.all([...Array(6)].map((_, n) => elsewhere.add(`Lead${n}`)));
    expect(await shared.addDone('Grace')).toMatchObject({
      status: 'completed',
    });
    expect(await other.addDone('Hedy')).toMatchObject({ status: 'completed' });
    expect(Date.now()).toBeLessThan(until);
    for (const { jobId } of [first, ...added])
      expect(await api.job(jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    expectRest(apiKey, until);
  });

  it('of the global key: tenants with a key of their own go on, and so does the other global key', async () => {
    const owner = await tenantWithKey('sk-own-going');
    const [one, two] = [await Leads.of(await stage.tenant()), await Leads.of(await stage.tenant())];
    const [own, other] = [await Leads.of(owner), await Leads.of(two.api, ANTHROPIC)];
    limitOnce(GLOBAL_KEY);
    const first = await one.add('Ada');
    await waits(one.api, first.jobId);
    const until = await pausedUntil('*');
    const next = await two.add('Eve');
    await waits(two.api, next.jobId);
    expect(await own.addDone('Grace')).toMatchObject({ status: 'completed' });
    expect(await other.addDone('Hedy')).toMatchObject({ status: 'completed' });
    expect(Date.now()).toBeLessThan(until);
    expect(await one.api.job(first.jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    expect(await two.api.job(next.jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    expectRest(GLOBAL_KEY, until);
  });

  /** From a second after the pause began, which every process knows by then, until its end nothing was sent. */
  function expectRest(apiKey: string, until: number): void {
    const known = until - PAUSE_S * 1_000 + 1_000;
    // The clock of a database may be a little ahead of this one.
    const during = arrivals(apiKey).filter((time) => time > known && time < until - 20);
    expect(during).toEqual([]);
    expect(arrivals(apiKey).filter((time) => time >= until - 20).length).toBeGreaterThan(0);
  }
});
