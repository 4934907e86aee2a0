import type pg from 'pg';
import { AppConnections } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import {
  applySettlements,
  newCall,
  placeHold,
  setLimits,
  settle,
  type TestCall,
} from '../support/money-functions.js';
import { Random } from '../support/random.js';

const CONNECTIONS = 64;
const ROUNDS = 12;
const TENANTS = ['north', 'south', 'east'];
const USERS = ['ann', 'bob', null];
const FIELDS = ['summary', 'score', null];

interface OpenCall {
  tenantId: string;
  call: TestCall;
  amount: number;
  user: string | null;
  field: string | null;
}

/** What the test itself believes: the truth of each call by its own account. */
interface Believed {
  spent: Map<string, bigint>;
  unconfirmed: Map<string, bigint>;
}

interface BudgetRow {
  key: string;
  held: string;
  spent: string;
  unconfirmed: string;
  limit: string | null;
}

const BUDGETS = `
  SELECT concat_ws('/', b.tenant_id, b.scope, b.scope_id) AS key, held, spent, unconfirmed, l.limit_nano AS limit
    FROM ai_budgets b LEFT JOIN ai_budget_limits l USING (tenant_id, scope, scope_id) ORDER BY 1`;

function scopesOf({ tenantId, user, field }: OpenCall): string[] {
  const scopes = [`${tenantId}/tenant/self`];
  if (user) scopes.push(`${tenantId}/user/${user}`);
  if (field) scopes.push(`${tenantId}/field/p:${field}`);
  return scopes;
}

/** One worker: places holds, and ends them in every way there is, late answers included. */
class Spender {
  private readonly open: OpenCall[] = [];
  private readonly lost: OpenCall[] = [];
  readonly verdicts = new Map<string, number>();

  constructor(
    private readonly client: pg.Client,
    private readonly random: Random,
    private readonly believed: Believed,
  ) {}

  async act(): Promise<void> {
    const { random } = this;
    const kind = random.integer(0, 9);
    if (kind === 0) return applySettlements(this.client, random.pick(TENANTS));
    if (kind === 1 && this.lost.length > 0) return this.answerLate(this.lost.shift()!);
    if (kind <= 5 && this.open.length > 0) return this.end(this.open.shift()!);
    return this.place();
  }

  async endAll(): Promise<void> {
    for (const call of this.open.splice(0)) await this.end(call);
    for (const call of this.lost.splice(0)) await this.answerLate(call);
  }

  private async place(): Promise<void> {
    const { random } = this;
    const tenantId = random.pick(TENANTS);
    const [amount, user, field] = [random.integer(1, 900), random.pick(USERS), random.pick(FIELDS)];
    const opened: OpenCall = { tenantId, call: newCall(), amount, user, field };
    const verdict = await placeHold(this.client, tenantId, opened.call, { amount, user, field });
    const kind = verdict.split(':')[0]!;
    this.verdicts.set(kind, (this.verdicts.get(kind) ?? 0) + 1);
    if (verdict === 'held') this.open.push(opened);
  }

  private async end(ended: OpenCall): Promise<void> {
    const { tenantId, call, amount } = ended;
    const roll = this.random.integer(0, 9);
    if (roll < 2) return settle(this.client, tenantId, call, { state: 'released' });
    if (roll < 4) {
      await settle(this.client, tenantId, call, { state: 'unconfirmed' });
      this.add(this.believed.spent, ended, amount);
      this.add(this.believed.unconfirmed, ended, amount);
      this.lost.push(ended);
      return;
    }
    const cost = this.random.integer(0, amount);
    await settle(this.client, tenantId, call, { state: 'settled', cost });
    this.add(this.believed.spent, ended, cost);
  }

  private async answerLate(lost: OpenCall): Promise<void> {
    const cost = this.random.integer(0, lost.amount);
    await settle(this.client, lost.tenantId, lost.call, { state: 'settled', cost });
    this.add(this.believed.spent, lost, cost - lost.amount);
    this.add(this.believed.unconfirmed, lost, -lost.amount);
  }

  private add(figures: Map<string, bigint>, call: OpenCall, nano: number): void {
    for (const key of scopesOf(call)) figures.set(key, (figures.get(key) ?? 0n) + BigInt(nano));
  }
}

describe('holds never exceed a limit', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, CONNECTIONS);
    for (const tenantId of TENANTS) {
      await setLimits(connections.first, tenantId, [
        ['tenant', 'self', 30_000],
        ['user', 'ann', 9_000],
        ['field', 'p:summary', 12_000],
      ]);
    }
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  it(`with ${CONNECTIONS} connections that hold, settle, give up and apply at random`, async () => {
    const believed: Believed = { spent: new Map(), unconfirmed: new Map() };
    const spenders = connections.clients.map(
      (client, seed) => new Spender(client, new Random(seed + 1), believed),
    );
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(
        spenders.map(async (spender) => {
          for (let act = 0; act < 4; act++) await spender.act();
        }),
      );
      for (const { key, held, spent, limit } of await database.sql<BudgetRow>(BUDGETS)) {
        if (limit === null) continue;
        expect([key, BigInt(spent) + BigInt(held) <= BigInt(limit)]).toEqual([key, true]);
      }
    }
    const verdicts = (kind: string) =>
      spenders.reduce((sum, each) => sum + (each.verdicts.get(kind) ?? 0), 0);
    expect(verdicts('held')).toBeGreaterThan(100);
    expect(verdicts('wait')).toBeGreaterThan(10);
    expect(verdicts('exceeded')).toBeGreaterThan(10);

    await Promise.all(spenders.map((spender) => spender.endAll()));
    await Promise.all(TENANTS.map((tenantId, n) => applySettlements(connections.clients[n]!, tenantId)));
    const budgets = await database.sql<BudgetRow>(BUDGETS);
    expect(budgets).toHaveLength(TENANTS.length * 5);
    for (const { key, held, spent, unconfirmed } of budgets) {
      expect([key, held, spent, unconfirmed]).toEqual([
        key,
        '0',
        String(believed.spent.get(key) ?? 0n),
        String(believed.unconfirmed.get(key) ?? 0n),
      ]);
    }
    const ledger = await database.sql<{ tenant_id: string; sum: string }>(
      'SELECT tenant_id, sum(cost_nano) AS sum FROM ai_ledger GROUP BY 1',
    );
    expect(ledger).toHaveLength(TENANTS.length);
    for (const { tenant_id, sum } of ledger)
      expect([tenant_id, sum]).toEqual([tenant_id, String(believed.spent.get(`${tenant_id}/tenant/self`))]);
    expect(await database.sql('SELECT FROM ai_holds')).toEqual([]);
  });
});
