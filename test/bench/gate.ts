import type { TestDatabase } from '../support/database.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { productSide, rateOf, WORKER, type Side } from './side.js';
import { spreadOf } from './spread.js';
import { addTenants, type Tenants } from './workload.js';

const ROUNDS = 5;
const JOBS = 2_000;
const MANY = 20;

/** The gate lets everything through, and nobody hears what it cost: the statements are still sent. */
const WITHOUT_BUDGETS = `
  CREATE OR REPLACE FUNCTION ai_place_hold(
    p_tenant text, p_job uuid, p_attempt int, p_n int, p_amount bigint, p_user text, p_field text, p_dims jsonb,
    p_key text DEFAULT NULL, p_key_limit int DEFAULT NULL, p_default_field bigint DEFAULT NULL
  ) RETURNS text LANGUAGE sql AS $$ SELECT 'held' $$;
  CREATE OR REPLACE FUNCTION ai_place_holds(
    p_tenant text, p_user text, p_field text, p_key text, p_key_limit int, p_default_field bigint, p_calls jsonb
  ) RETURNS TABLE (place int, verdict text) LANGUAGE sql AS $$
    SELECT c.place, 'held' FROM jsonb_to_recordset(p_calls) AS c(place int) $$;
  CREATE OR REPLACE FUNCTION ai_settle_calls(p_tenant text, p_calls jsonb) RETURNS void LANGUAGE sql AS $$ SELECT $$`;

/** What holding, settling and the ledger cost: the product against itself with a database that does none of it. */
export const gate: Bench = {
  name: 'gate',
  what: `jobs per second with an instant provider, with budgets in every scope against none, in turns, ${ROUNDS} × ${JOBS} of each, of ${MANY} tenants and of one`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const [kept, free] = [await stage.database(), await stage.database()];
    const sides: Side[] = [];
    const products = [await stage.product(kept, WORKER), await stage.product(free, WORKER)];
    try {
      for (const [i, database] of [kept, free].entries()) {
        const tenants = await addTenants(database, products[i]!.url, MANY, JOBS);
        if (database === free) await withoutBudgets(free);
        sides.push(productSide(database, tenants, products[i]!));
      }
      const [budgets, none] = sides as [Side, Side];
      const figures: Figure[] = [];
      for (const which of ['many', 'one'] as const) figures.push(...(await compare(budgets, none, which)));
      return figures;
    } finally {
      for (const product of products) {
        product.process.kill('SIGCONT');
        await product.stop();
      }
      await kept.drop();
      await free.drop();
    }
  },
};

async function withoutBudgets(database: TestDatabase): Promise<void> {
  await database.sql(WITHOUT_BUDGETS);
}

async function compare(budgets: Side, none: Side, which: keyof Tenants): Promise<Figure[]> {
  const rates: { budgets: number[]; none: number[] } = { budgets: [], none: [] };
  for (let round = -1; round < ROUNDS; round++) {
    const measured = { budgets: 0, none: 0 };
    const order = round % 2 === 0 ? (['budgets', 'none'] as const) : (['none', 'budgets'] as const);
    for (const side of order)
      measured[side] = await rateOf(side === 'budgets' ? budgets : none, which, round);
    if (round < 0) continue;
    rates.budgets.push(measured.budgets);
    rates.none.push(measured.none);
  }
  const name = which === 'many' ? `${MANY} tenants` : 'one tenant';
  const ratios = rates.budgets.map((rate, round) => rate / rates.none[round]!);
  return [
    { name: `${name}: with budgets`, unit: 'per second', spread: spreadOf(rates.budgets) },
    { name: `${name}: without`, unit: 'per second', spread: spreadOf(rates.none) },
    { name: `${name}: with / without`, unit: 'ratio', spread: spreadOf(ratios), target: { atLeast: 0.85 } },
  ];
}
