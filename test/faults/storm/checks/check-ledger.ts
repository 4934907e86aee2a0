import type { ReceivedRequest } from '#libs/llm-simulator';
import { miniCost } from '../../../support/money.js';
import type { StormStage } from '../storm-stage.js';
import { fateOf } from '../weather.js';
import { bySubject, grouped, type CallEvidence, type Evidence } from './evidence.js';

/** What the ledger says in the end became of a call. */
export function endOf({ entries }: CallEvidence): 'settled' | 'released' | 'unconfirmed' {
  if (entries['settled']) return 'settled';
  return entries['released'] ? 'released' : 'unconfirmed';
}

/**
 * The ledger equals the provider's log, field by field of each record: each settled entry is an answer with just its cost,
 * each released one an error, and whatever the provider received besides stands there as unconfirmed, at no less than it cost.
 */
export function checkLedger({ calls, requests }: Evidence): string[] {
  const ledger = bySubject(calls);
  const subjects = new Set([...ledger.keys(), ...requests.keys()]);
  return [
    ...calls.flatMap(checkEntries),
    ...[...subjects].flatMap((key) => checkSubject(key, ledger.get(key) ?? [], requests.get(key) ?? [])),
  ];
}

/** Nothing is written twice, and what ends a call after it was unconfirmed takes that back first. */
function checkEntries({ job_id: job, attempt, n, entries }: CallEvidence): string[] {
  const { settled = 0, released = 0, unconfirmed = 0, unconfirmed_released: back = 0 } = entries;
  const right =
    settled + released <= 1 && back <= unconfirmed && settled + released + unconfirmed - back === 1;
  return right ? [] : [`ledger of call ${job}/${attempt}/${n}: ${JSON.stringify(entries)}`];
}

function checkSubject(key: string, calls: CallEvidence[], requests: ReceivedRequest[]): string[] {
  const told = (end: string) => calls.filter((call) => endOf(call) === end);
  const fates = grouped(requests, fateOf);
  const billed = (fates.get('billed') ?? []).map(({ answer }) => miniCost(answer!.usage));
  const unconfirmed = told('unconfirmed');
  const problems: string[] = [];
  if (requests.length > calls.length)
    problems.push(`${requests.length} calls, ${calls.length} in the ledger`);
  const left = without(
    billed,
    told('settled').map(({ settled_cost: cost }) => BigInt(cost!)),
  );
  if (!left) problems.push('a settled entry that no answer stands behind');
  const refused = (fates.get('refused') ?? []).length;
  if (told('released').length > refused) problems.push('a released entry that no refusal stands behind');
  const unheard =
    (left?.length ?? 0) + refused - told('released').length + (fates.get('unknown') ?? []).length;
  if (unheard > unconfirmed.length) {
    problems.push(`${unheard} calls of unknown end, ${unconfirmed.length} unconfirmed`);
  }
  const marked = unconfirmed.reduce((sum, { hold_nano: hold }) => sum + BigInt(hold), 0n);
  if ((left ?? []).reduce((sum, cost) => sum + cost, 0n) > marked)
    problems.push('more was billed than is marked');
  return problems.map((problem) => `ledger of ${key}: ${problem}`);
}

/** The list without these items, each taken out once; undefined where one is not in it. */
function without(list: readonly bigint[], taken: readonly bigint[]): bigint[] | undefined {
  const left = [...list];
  for (const item of taken) {
    const index = left.indexOf(item);
    if (index < 0) return undefined;
    left.splice(index, 1);
  }
  return left;
}

const BUDGETS = `
  WITH entries AS (
    SELECT tenant_id, s.scope, s.id, sum(cost_nano) AS spent,
           sum(CASE entry WHEN 'unconfirmed' THEN hold_nano WHEN 'unconfirmed_released' THEN -hold_nano ELSE 0 END) AS unconfirmed
      FROM ai_ledger l, LATERAL (VALUES ('user', principal_id), ('field', pipeline_id || ':' || field), ('tenant', 'self')) s(scope, id)
     WHERE entry <> 'free' GROUP BY 1, 2, 3)
  SELECT b.tenant_id, b.scope, b.scope_id, b.held::text, b.spent::text, b.unconfirmed::text, l.limit_nano::text AS limit,
         coalesce(e.spent, 0)::text AS told, coalesce(e.unconfirmed, 0)::text AS told_unconfirmed
    FROM ai_budgets b LEFT JOIN entries e ON e.tenant_id = b.tenant_id AND e.scope = b.scope AND e.id = b.scope_id
    LEFT JOIN ai_budget_limits l ON l.tenant_id = b.tenant_id AND l.scope = b.scope AND l.scope_id = b.scope_id
   WHERE b.held <> 0 OR b.spent <> coalesce(e.spent, 0) OR b.unconfirmed <> coalesce(e.unconfirmed, 0) OR b.spent > l.limit_nano`;

/** No budget was exceeded at any moment; in the end nothing is held, and each has spent what the ledger says. */
export async function checkBudgets({ database, overspent }: StormStage): Promise<string[]> {
  const exceeded = (await overspent()).map((row) => `budget exceeded: ${JSON.stringify(row)}`);
  const apart = (await database.sql(BUDGETS)).map(
    (row) => `budget and ledger differ: ${JSON.stringify(row)}`,
  );
  return [...exceeded, ...apart];
}
