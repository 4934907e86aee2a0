import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { FieldDefault, HoldRequests, type HoldRequest } from '#libs/accounting';
import { connectionExtras } from '#libs/tenants';
import type { TestDatabase } from '../support/database.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { spreadOf } from './spread.js';

const ROUNDS = 5;
const CALLERS = 32;
const HOLDS = 6_400;
const TENANT = 'busy';
/** Far above what is held: the budget is checked, and never in the way. */
const LIMIT_NANO = 10n ** 15n;

/** Holds a second in one tenant's budget by callers that do not know of each other, in one process. */
export const holds: Bench = {
  name: 'holds',
  what: `holds of ${CALLERS} parallel callers in the budgets of one tenant, its field and its user, ${ROUNDS} × ${HOLDS}`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const database = await stage.database();
    const dataSource = new DataSource({ type: 'postgres', url: database.url, extra: connectionExtras() });
    await dataSource.initialize();
    try {
      await setLimits(database);
      const requests = new HoldRequests(dataSource, new FieldDefault({}));
      const rates: number[] = [];
      for (let round = -1; round < ROUNDS; round++) {
        const rate = await holdsPerSecond(requests);
        await checkHeld(database);
        if (round >= 0) rates.push(rate);
      }
      return [{ name: 'holds', unit: 'per second', spread: spreadOf(rates), target: { atLeast: 3_000 } }];
    } finally {
      await dataSource.destroy();
      await database.drop();
    }
  },
};

async function setLimits(database: TestDatabase): Promise<void> {
  await database.sql(
    `INSERT INTO ai_budget_limits (tenant_id, scope, scope_id, limit_nano)
     VALUES ($1, 'tenant', 'self', $2), ($1, 'field', 'leads:summary', $2), ($1, 'user', 'ann', $2)`,
    [TENANT, LIMIT_NANO.toString()],
  );
}

async function holdsPerSecond(requests: HoldRequests): Promise<number> {
  const started = performance.now();
  const caller = async () => {
    for (let i = 0; i < HOLDS / CALLERS; i++) {
      const verdict = await requests.ask(newRequest());
      if (verdict !== 'held') throw new Error(`A hold that there was room for ended as ${verdict}.`);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (HOLDS / (performance.now() - started)) * 1000;
}

function newRequest(): HoldRequest {
  return {
    tenantId: TENANT,
    call: { jobId: randomUUID(), attempt: 1, n: 1 },
    amountNano: 1_000_000n,
    userId: 'ann',
    subject: {
      principalId: 'ann',
      pipelineId: 'leads',
      recordId: randomUUID(),
      field: 'summary',
      operation: 'field_generation',
      provider: 'openai',
      model: 'gpt-4o-mini',
      keySource: 'tenant',
    },
  };
}

/** @throws unless every hold stands and counts; then clears them for the next round. */
async function checkHeld(database: TestDatabase): Promise<void> {
  const [found] = await database.sql<{ holds: number; agree: boolean }>(
    `SELECT count(*)::int AS holds, (SELECT bool_and(b.held = (SELECT sum(amount) FROM ai_holds)) FROM ai_budgets b) AS agree FROM ai_holds`,
  );
  if (found!.holds !== HOLDS || !found!.agree) throw new Error('The budgets do not say what is held.');
  await database.sql('DELETE FROM ai_holds');
  await database.sql('DELETE FROM ai_budgets');
}
