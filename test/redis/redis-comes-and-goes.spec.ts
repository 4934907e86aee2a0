import type { Api, Body } from '../support/api.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { RedisServer } from '../support/redis-server.js';
import { setStage, type Stage } from '../support/stage.js';

const RECORDS = 8;
const ROUNDS = 6;

describe('Redis comes and goes', () => {
  let redis: RedisServer;
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    redis = await RedisServer.reserve();
    // It does not run: the product starts without.
    stage = await setStage({ REDIS_URL: redis.url, AI_LEASE_MS: '2000', LOG_LEVEL: 'info' });
  });

  afterAll(async () => {
    await stage.close();
    await redis.remove();
  });

  beforeEach(async () => {
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}.' })]);
  });

  /** How often the product has said something. */
  const said = (text: string): number => stage.product.output().split(text).length - 1;

  const addAll = (): Promise<Body[]> =>
    Promise.all(Array.from({ length: RECORDS }, (_, n) => addRecord(api, pipelineId, { name: `Lead ${n}` })));

  /** Edits every record in every round. @returns what each is called in the end. */
  async function editAll(records: Body[], meanwhile: (round: number) => Promise<void>): Promise<string[]> {
    for (let round = 1; round <= ROUNDS; round++) {
      const edits = records.map(({ id }, n) =>
        api.patch(`/records/${id}`, { data: { name: `Lead ${n}.${round}` } }),
      );
      await Promise.all([...edits, meanwhile(round)]);
    }
    return records.map((_, n) => `Lead ${n}.${ROUNDS}`);
  }

  async function expectFresh(records: Body[], names: string[]): Promise<void> {
    for (const [n, { id }] of records.entries()) {
      const record = await api.settled(id);
      expect(record.ai.summary).toMatchObject({ state: 'ready' });
      expect(record.data.summary).toContain(names[n]);
    }
    const open = await stage.database.sql(`SELECT FROM ai_jobs WHERE status IN ('pending', 'processing')`);
    expect(open).toEqual([]);
  }

  it('away at the start: it serves and saves at once, and works when Redis is there', async () => {
    const records = await addAll();
    expect(said('Redis is away')).toBe(1);
    const jobs = await stage.database.sql<{ handed_until: Date | null }>(
      `SELECT handed_until FROM ai_jobs WHERE tenant_id = $1 AND status = 'pending'`,
      [api.tenantId],
    );
    expect(jobs).toEqual(Array(RECORDS).fill({ handed_until: null }));
    expect(stage.simulator.requests()).toEqual([]);

    await redis.start();
    await expectFresh(
      records,
      records.map(({ data }) => data.name),
    );
    expect([said('Redis is away'), said('Redis is back')]).toEqual([1, 1]);
  });

  it('killed and restarted in a stream of edits: every value is fresh in the end', async () => {
    const records = await addAll();
    const names = await editAll(records, async (round) => {
      if (round === 2 || round === 5) await redis.kill();
      if (round === 4 || round === 6) await redis.start();
    });
    await expectFresh(records, names);
    expect(said('Redis is away')).toBe(said('Redis is back'));
  });

  it('emptied in a stream of edits: every value is fresh in the end', async () => {
    const records = await addAll();
    const names = await editAll(records, () =>
      redis.ask((client) => client.flushall()).then(() => undefined),
    );
    await expectFresh(records, names);
  });

  it('silent with its connections open: it counts as away, and what it was handed is handed out again', async () => {
    const before = said('Redis is away');
    redis.signal('SIGSTOP');
    const health = Array.from({ length: 8 }, () => api.get('/ai-jobs/worker_health'));
    const records = await addAll();
    // A request that waited for Redis would end only now.
    expect(said('Redis is away')).toBe(before);
    for (const { redis_ms } of await Promise.all(health)) expect(redis_ms).toBeNull();
    const names = await editAll(records, () => Promise.resolve());
    await api.until('its silence is noticed', () => Promise.resolve(said('Redis is away') > before));
    redis.signal('SIGCONT');
    await expectFresh(records, names);
  });

  it('away at the end: the call in flight ends, its value is stored, and the product exits 0', async () => {
    stage.simulator.clearRequests();
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const { id } = await addRecord(api, pipelineId, { name: 'Last' });
    await stage.simulator.waitForRequests(1);
    await redis.kill();
    const { process: running } = stage.product;
    running.kill('SIGTERM');
    stage.simulator.release();
    expect(await stage.product.stop()).toBe(0);
    const [row] = await stage.database.sql<{ value: string }>(
      `SELECT generated AS value FROM ai_values WHERE record_id = $1`,
      [id],
    );
    expect(row!.value).toContain('Last');
  });
});
