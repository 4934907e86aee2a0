import { Agent, request } from 'node:http';
import pg from 'pg';
import { Api } from '../support/api.js';
import type { TestDatabase } from '../support/database.js';
import type { RunningProduct } from '../support/product.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { fillLedger, LEDGER_MONTHS, rollUpAll } from './ledger-fill.js';
import { quantile, spreadOf } from './spread.js';

const MANY = 10_000_000;
const FEW = 100_000;
const TENANTS = 200;
/** Tenants that ask, in turn. */
const ASKING = 5;
const ROUNDS = 5;
const TURNS = 60;
const WARM_UP = 20;

const DAY_MS = 86_400_000;

/** A month, and what is asked of it. */
const month = () => {
  const to = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS);
  const day = (at: Date) => at.toISOString().slice(0, 10);
  return `from=${day(new Date(to.getTime() - 30 * DAY_MS))}&to=${day(to)}`;
};
const ENDPOINTS: Record<string, string> = {
  'usage by day': 'usage?group_by=day',
  'usage by field': 'usage?group_by=field',
  'costs by day': 'costs?group_by=day',
  'costs by field': 'costs?group_by=field',
  performance: 'performance?',
};

/** A ledger of some size, and a product before it. */
interface Side {
  database: TestDatabase;
  product: RunningProduct;
  apis: Api[];
}

/** Milliseconds by endpoint. */
type Times = Record<string, number[]>;

/** Reports over a month where the ledger is long, beside the same where it is short; and the end of a month. */
export const analytics: Bench = {
  name: 'analytics',
  what: `reports on a month of ${MANY} ledger rows and of ${FEW}, ${TENANTS} tenants, ${LEDGER_MONTHS} months, in turns, ${ROUNDS} × ${TURNS} of each`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const sides: Side[] = [];
    try {
      for (const rows of [MANY, FEW]) sides.push(await prepare(stage, rows));
      const [many, few] = sides as [Side, Side];
      const figures = await measure(many, few);
      await many.product.stop();
      return [...figures, await dropMonth(many.database)];
    } finally {
      for (const { product, database } of sides) {
        await product.stop();
        await database.drop();
      }
    }
  },
};

async function prepare(stage: BenchStage, rows: number): Promise<Side> {
  const database = await stage.database();
  const product = await stage.product(database);
  const apis: Api[] = [];
  for (let i = 0; i < ASKING; i++) apis.push(await Api.register(product.url));
  const tenants = [...apis.map(({ tenantId }) => tenantId)];
  for (let i = tenants.length; i < TENANTS; i++) tenants.push(`tenant-${String(i).padStart(3, '0')}`);
  await fillLedger(database, tenants, rows);
  await rollUpAll(database, tenants);
  await database.sql('VACUUM ANALYZE');
  await database.sql('CHECKPOINT');
  return { database, product, apis };
}

async function measure(many: Side, few: Side): Promise<Figure[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const rounds: { many: Times; few: Times }[] = [];
  try {
    for (let round = -1; round < ROUNDS; round++) {
      const times = { many: {}, few: {} };
      for (let turn = 0; turn < (round < 0 ? WARM_UP : TURNS); turn++) {
        await askAll(agent, few, turn, times.few);
        await askAll(agent, many, turn, times.many);
      }
      if (round >= 0) rounds.push(times);
    }
  } finally {
    agent.destroy();
  }
  return Object.keys(ENDPOINTS).flatMap((name) => figuresOf(name, rounds));
}

async function askAll(agent: Agent, { apis }: Side, turn: number, times: Times): Promise<void> {
  const api = apis[turn % apis.length]!;
  for (const [name, path] of Object.entries(ENDPOINTS)) {
    const started = performance.now();
    const items = await ask(agent, api, `${path}&${month()}`);
    (times[name] ??= []).push(performance.now() - started);
    if (items === 0) throw new Error(`${name} has nothing to tell.`);
  }
}

/** @returns how many items the report has. */
function ask(agent: Agent, api: Api, path: string): Promise<number> {
  const headers = { authorization: `Bearer ${api.token}` };
  return new Promise((resolve, reject) => {
    const sent = request(`${api.url}/api/v1/ai-analytics/${path}`, { agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode !== 200)
          return reject(new Error(`${path} answered ${response.statusCode}: ${text}`));
        resolve((JSON.parse(text) as { items: unknown[] }).items.length);
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

function figuresOf(name: string, rounds: { many: Times; few: Times }[]): Figure[] {
  const p95 = (side: 'many' | 'few') => rounds.map((times) => quantile(times[side][name]!, 0.95));
  const p50 = (side: 'many' | 'few') => rounds.map((times) => quantile(times[side][name]!, 0.5));
  const [long, short] = [p50('many'), p50('few')];
  return [
    { name: `${name}, p95`, unit: 'ms', spread: spreadOf(p95('many')), target: { atMost: 25 } },
    {
      name: `${name}, to that of ${FEW} rows`,
      unit: 'ratio',
      spread: spreadOf(long.map((ms, i) => ms / short[i]!)),
      target: { atMost: 1.5 },
    },
  ];
}

/** Drops the oldest month, as the maintenance does. */
async function dropMonth(database: TestDatabase): Promise<Figure> {
  const client = new pg.Client({ connectionString: database.url, options: '-c role=fieldsmith_app' });
  await client.connect();
  try {
    const started = performance.now();
    const { rows } = await client.query<{ dropped: string | null }>(
      'SELECT ai_drop_ledger_month(current_date) AS dropped',
    );
    const ms = performance.now() - started;
    if (!rows[0]?.dropped) throw new Error('No month was dropped.');
    return { name: 'dropping an old month', unit: 'ms', spread: spreadOf([ms]), target: { atMost: 1_000 } };
  } finally {
    await client.end();
  }
}
