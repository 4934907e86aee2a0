import type pg from 'pg';
import { AppConnections, asTenant, isBlocked } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { claim, complete, dispatch, enqueue, type Handed } from '../support/job-functions.js';
import { Random } from '../support/random.js';

const WINDOW = 4;
const DISPATCHERS = 8;
const TENANTS = ['north', 'south', 'east'];
const JOBS_PER_LANE = 60;

const IN_FLIGHT = `
  SELECT tenant_id || '/' || lane AS key, count(*)::int AS count FROM ai_jobs
   WHERE status = 'processing' OR (status = 'pending' AND handed_until IS NOT NULL) GROUP BY 1`;

describe('windows hold between dispatchers', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, DISPATCHERS);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  it('no tenant is above its window in any lane, no job is handed out twice, and all are', async () => {
    for (const tenantId of TENANTS) {
      for (const lane of [0, 1] as const) {
        const jobs = Array.from({ length: JOBS_PER_LANE }, (_, n) => ({ subject: `${lane}-${n}`, lane }));
        await enqueue(connections.first, tenantId, jobs);
      }
    }
    const handed: Handed[] = [];
    const randoms = connections.clients.map((_, seed) => new Random(seed + 1));
    const total = TENANTS.length * JOBS_PER_LANE * 2;
    let fullest = 0;
    let waiting: Handed[] = [];
    for (let round = 0; handed.length < total; round++) {
      expect(round).toBeLessThan(total);
      const batches = await Promise.all(
        connections.clients.map((client, n) =>
          dispatch(client, { lane: n % 2 === 0 ? 0 : 1, limit: randoms[n]!.integer(1, 8), window: WINDOW }),
        ),
      );
      handed.push(...batches.flat());
      waiting.push(...batches.flat());
      for (const { key, count } of await database.sql<{ key: string; count: number }>(IN_FLIGHT)) {
        expect([key, count <= WINDOW]).toEqual([key, true]);
        fullest = Math.max(fullest, count);
      }
      waiting = await finishSome(waiting, randoms[0]!);
    }
    expect(fullest).toBe(WINDOW);
    expect(new Set(handed.map(({ id }) => id)).size).toBe(total);
    expect(handed).toHaveLength(total);
  });

  it('counts what another dispatcher has handed out and not committed yet', async () => {
    const [first, second, urgent] = connections.clients as [pg.Client, pg.Client, pg.Client];
    await enqueue(
      first,
      'slow',
      Array.from({ length: 4 * WINDOW }, (_, n) => ({ subject: `${n}` })),
    );
    await first.query('BEGIN');
    expect(await dispatch(first, { window: WINDOW })).toHaveLength(WINDOW);
    // Without this one, a second dispatcher would pick the very jobs that the first has locked, and skip them.
    await enqueue(urgent, 'slow', [{ subject: 'urgent', priority: 0 }]);
    const other = dispatch(second, { window: WINDOW });
    expect(await isBlocked(database, second, other)).toBe(true);
    await first.query('COMMIT');
    expect(await other).toEqual([]);
  });

  /** Claims and completes some of the jobs. @returns the others. */
  async function finishSome(jobs: readonly Handed[], random: Random): Promise<Handed[]> {
    const finished = jobs.filter(() => random.chance(0.6));
    for (const { tenant_id: tenantId, id } of finished) {
      const claimed = await asTenant(connections.first, tenantId, () =>
        claim(connections.first, tenantId, id),
      );
      await complete(connections.first, tenantId, claimed!);
    }
    return jobs.filter((job) => !finished.includes(job));
  }
});
