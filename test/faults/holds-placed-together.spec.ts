import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { AppConnections, asTenant } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { newCall, placeHold, placeHolds, setLimits, type TestHold } from '../support/money-functions.js';

interface Scene {
  /** Limits of user, field and tenant, in nano-USD; null for none. */
  limits: (number | null)[];
  user: string | null;
  field: string | null;
  calls: { amount: number | null; model: string }[];
}

const SCOPES = [
  ['user', 'ann'],
  ['field', 'p:summary'],
  ['tenant', 'self'],
] as const;

const amount = fc.integer({ min: 0, max: 30 });
const scenes: fc.Arbitrary<Scene> = fc.record({
  limits: fc.array(fc.option(fc.integer({ min: 0, max: 100 })), { minLength: 3, maxLength: 3 }),
  user: fc.constantFrom('ann', null),
  field: fc.constantFrom('summary', null),
  calls: fc.array(
    fc.record({
      amount: fc.oneof({ weight: 9, arbitrary: amount }, { weight: 1, arbitrary: fc.constant(null) }),
      model: fc.oneof(
        { weight: 9, arbitrary: fc.constant('m') },
        { weight: 1, arbitrary: fc.constant('stopped') },
      ),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});

describe('holds that are placed together', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, 1);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  async function tenantOf({ limits }: Scene): Promise<string> {
    const tenantId = randomUUID();
    const given = SCOPES.flatMap(([scope, id], i) => {
      const limit = limits[i];
      return limit === null || limit === undefined ? [] : [[scope, id, limit] as const];
    });
    await setLimits(connections.first, tenantId, given);
    await database.sql(
      `INSERT INTO ai_stopped_models (tenant_id, provider, model, reason) VALUES ($1, 'openai', 'stopped', 'test')`,
      [tenantId],
    );
    return tenantId;
  }

  const heldIn = (tenantId: string) =>
    asTenant(connections.first, tenantId, async () => {
      const budgets = 'SELECT scope, scope_id, held, limit_nano FROM ai_budgets WHERE held > 0 ORDER BY 1, 2';
      const holds =
        'SELECT user_id, field_key, amount, dims, key, state, period FROM ai_holds ORDER BY amount, dims::text';
      const rows = [
        await connections.first.query<object>(budgets),
        await connections.first.query<object>(holds),
      ];
      return rows.map((result) => result.rows);
    });

  it('end as if they had come one after another', async () => {
    const client = connections.first;
    let together = 0;
    await fc.assert(
      fc.asyncProperty(scenes, async (scene) => {
        const { user, field, calls } = scene;
        const holds: TestHold[] = calls.map((call) => ({ ...call, user, field }));
        const [single, batch] = [await tenantOf(scene), await tenantOf(scene)];
        const verdicts: string[] = [];
        for (const hold of holds) verdicts.push(await placeHold(client, single, newCall(), hold));
        expect(await placeHolds(client, batch, holds)).toEqual(verdicts);
        expect(await heldIn(batch)).toEqual(await heldIn(single));
        if (calls.length > 1 && verdicts.every((verdict) => verdict === 'held')) together += 1;
      }),
      { numRuns: 150 },
    );
    expect(together).toBeGreaterThan(0);
  });
});
