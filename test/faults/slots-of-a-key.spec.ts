import { randomUUID } from 'node:crypto';
import { AppConnections } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { enqueue, dispatch, type Claim } from '../support/job-functions.js';
import { beginCall, callNext, endCall, takeSlot, type TestKey } from '../support/key-functions.js';
import { settle } from '../support/money-functions.js';
import { Random } from '../support/random.js';

const CONNECTIONS = 16;
const HELD = `SELECT tenant_id, count(*)::int AS used FROM ai_holds WHERE key = $1 AND state = 'held' GROUP BY 1`;
const WAITING = `
  SELECT DISTINCT tenant_id FROM ai_jobs WHERE wait_key = $1 AND status = 'pending' AND wait_reason IS NOT NULL`;

/** A job whose call is in flight. */
interface Calling {
  tenantId: string;
  claimed: Claim;
}

describe('the slots of a key', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, CONNECTIONS);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  const idOf = (key: TestKey) => `${key.provider}:${key.owner}`;

  async function used(key: TestKey): Promise<Map<string, number>> {
    const rows = await database.sql<{ tenant_id: string; used: number }>(HELD, [idOf(key)]);
    return new Map(rows.map((row) => [row.tenant_id, row.used]));
  }

  const sum = (counts: Map<string, number>) => [...counts.values()].reduce((all, one) => all + one, 0);

  it('are never more than its limit, whoever takes and gives back at once', async () => {
    const key = { provider: 'crowded', owner: '*', limit: 5 };
    const tenants = ['north', 'south', 'east'];
    let most = 0;
    let granted = 0;
    const worker = async (n: number): Promise<void> => {
      const [client, random] = [connections.clients[n]!, new Random(n + 1)];
      const open: { tenantId: string; id: string }[] = [];
      const giveBack = async () => {
        const { tenantId, id } = open.shift()!;
        await settle(client, tenantId, { jobId: id, attempt: 1, n: 1 }, { state: 'released' });
      };
      for (let act = 0; act < 30; act++) {
        if (open.length > 0 && random.chance(0.6)) await giveBack();
        const call = { tenantId: random.pick(tenants), id: randomUUID() };
        const verdict = await takeSlot(client, call.tenantId, { id: call.id, attempt: 1 }, key);
        expect(['held', 'key_busy']).toContain(verdict);
        if (verdict === 'held') {
          open.push(call);
          granted += 1;
        }
        most = Math.max(most, sum(await used(key)));
      }
      while (open.length > 0) await giveBack();
    };
    await Promise.all(connections.clients.map((_, n) => worker(n)));
    expect(most).toBe(key.limit);
    expect(granted).toBeGreaterThan(20);
    expect(sum(await used(key))).toBe(0);
  });

  it.each([
    [1, 3, 1],
    [2, 4, 3],
    [3, 7, 3],
    [4, 3, 5],
    [5, 10, 4],
  ])(
    'are shared equally, none is idle while somebody may have it, and every line is served (run %i: %i slots, %i tenants)',
    async (run, limit, count) => {
      const key = { provider: `shared${run}`, owner: '*', limit };
      const client = connections.first;
      const random = new Random(run);
      const tenants = Array.from({ length: count }, (_, n) => `t${run}-${n}`);
      const jobs = 12 * count;
      for (const [n, tenantId] of tenants.entries()) {
        // Some have much to do, some little.
        const own = Array.from({ length: n === 0 ? jobs : 12 }, (_, job) => ({ subject: `s${job}` }));
        await enqueue(client, tenantId, own);
      }
      const total = jobs + 12 * (count - 1);
      const calling: Calling[] = [];
      const firsts = new Map<string, number>();
      let claims = 0;
      let done = 0;
      while (done < total) {
        for (const { tenant_id: tenantId, id } of await dispatch(client, {
          limit: 6,
          window: 100,
          turn: 2,
        })) {
          claims += 1;
          const before = await used(key);
          const claimed = await beginCall(client, tenantId, id, key);
          if (!claimed) continue;
          calling.push({ tenantId, claimed });
          firsts.set(tenantId, firsts.get(tenantId) ?? done);
          await expectShare(key, tenantId, before);
        }
        expect(calling.length).toBeLessThanOrEqual(limit);
        expect(sum(await used(key))).toBe(calling.length);
        for (let ends = random.integer(1, 3); ends > 0 && calling.length > 0; ends--) {
          const [ended] = calling.splice(random.integer(0, calling.length - 1), 1);
          await endCall(client, ended!.tenantId, ended!.claimed);
          done += 1;
          await callNext(client, key);
        }
        await expectNobodyIdle(key);
      }
      expect(new Set(firsts.keys()).size).toBe(count);
      // Every tenant got its first slot long before the big one was done.
      for (const first of firsts.values()) expect(first).toBeLessThanOrEqual(4 * limit + 4 * count);
      expect(claims).toBeLessThan(total * 2.5);
      expect(await database.sql(WAITING, [idOf(key)])).toEqual([]);
    },
  );

  it('go to edits before backfill, which keeps a fifth', async () => {
    const key = { provider: 'lanes', owner: '*', limit: 1 };
    const client = connections.first;
    const add = async (lane: 0 | 1) => {
      const jobs = Array.from({ length: 10 }, (_, n) => ({ subject: `${lane}-${n}`, lane }));
      return enqueue(client, 'lanes', jobs);
    };
    const ids = [...(await add(0)), ...(await add(1))];
    let calling = await beginCall(client, 'lanes', ids[0]!, key);
    for (const id of ids.slice(1)) expect(await beginCall(client, 'lanes', id, key)).toBeUndefined();
    const lanes: number[] = [];
    for (let turn = 0; turn < 10; turn++) {
      await endCall(client, 'lanes', calling!);
      expect(await callNext(client, key)).toEqual(['lanes']);
      const [called] = await database.sql<{ id: string; lane: number }>(
        `SELECT id, lane FROM ai_jobs WHERE wait_key = $1 AND status = 'pending' AND wait_reason IS NULL`,
        [idOf(key)],
      );
      calling = await beginCall(client, 'lanes', called!.id, key);
      lanes.push(called!.lane);
    }
    expect(lanes.filter((lane) => lane === 1)).toHaveLength(2);
    expect(lanes.slice(0, 2)).toContain(0);
  });

  /** A second slot is given only within the share. */
  async function expectShare(key: TestKey, tenantId: string, before: Map<string, number>): Promise<void> {
    const own = before.get(tenantId) ?? 0;
    if (own === 0) return;
    const waiting = await database.sql<{ tenant_id: string }>(WAITING, [idOf(key)]);
    const active = new Set([tenantId, ...before.keys(), ...waiting.map((row) => row.tenant_id)]);
    expect(own + 1).toBeLessThanOrEqual(Math.max(1, Math.floor(key.limit / active.size)));
  }

  /** After the next were called, whoever waits has its share, or all slots are spoken for. */
  async function expectNobodyIdle(key: TestKey): Promise<void> {
    const rows = await database.sql<{ tenant_id: string; used: number }>(
      'SELECT * FROM ai_key_use($1, NULL)',
      [idOf(key)],
    );
    const now = new Map(rows.map((row) => [row.tenant_id, row.used]));
    const waiting = (await database.sql<{ tenant_id: string }>(WAITING, [idOf(key)])).map(
      (row) => row.tenant_id,
    );
    const share = Math.max(1, Math.floor(key.limit / new Set([...now.keys(), ...waiting]).size));
    const hungry = waiting.filter((tenantId) => (now.get(tenantId) ?? 0) < share);
    expect(sum(now) >= key.limit || hungry.length === 0).toBe(true);
  }
});
