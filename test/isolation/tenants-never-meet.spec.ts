import { jest } from '@jest/globals';
import fc from 'fast-check';
import { Random } from '../support/random.js';
import { setStage, type Stage } from '../support/stage.js';
import { mixedCalls, rowsAstray, toldOfOthers } from './findings.js';
import { Ids } from './ids.js';
import { FILTERS, MOVES, NOT_MOVED } from './moves.js';
import { operationsOf } from './operations.js';
import { Owners } from './owners.js';
import { RedisWatch } from './redis-watch.js';
import { CUT, DEAR, SHARED_PROMPT, Side } from './side.js';

jest.setTimeout(300_000);

/** Set both to see a failure again; how calls interleave with work in the background does not follow from the seed. */
const SEED = Number(process.env['ISOLATION_SEED'] ?? Date.now() % 2_147_483_647);
const RUNS = Number(process.env['ISOLATION_RUNS'] ?? 4);
/** Calls of the API at once. */
const LANES = 4;
/** How much of what is tried names the other tenant's things. */
const TRIED = 0.3;

/** One call of one of the two tenants. */
interface Step {
  who: 0 | 1;
  operation: string;
  seed: number;
}

const DECK = Object.keys(MOVES).flatMap((operation) => [
  { who: 0 as const, operation },
  { who: 1 as const, operation },
]);

/** Every operation once for each tenant, in any order, and some again. */
const steps: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.shuffledSubarray(DECK, { minLength: DECK.length }),
    fc.array(fc.constantFrom(...DECK), { minLength: 20, maxLength: 60 }),
    fc.infiniteStream(fc.nat()),
  )
  .map(([deck, more, seeds]) =>
    [...deck, ...more].map((step) => ({ ...step, seed: seeds.next().value as number })),
  );

describe('two tenants that do anything at random', () => {
  let stage: Stage;
  let redis: RedisWatch | undefined;
  const owners = new Owners();
  /** Calls by operation: those with nothing but own ids that succeeded, and those with another's. */
  const succeeded = new Set<string>();
  const tried = new Set<string>();

  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '1' });
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: `${stage.providerUrl}/v1` });
    redis = await RedisWatch.open(stage.database);
  });

  afterAll(async () => {
    redis?.close();
    await stage.close();
  });

  it('have a move for every operation there is', async () => {
    const served = await operationsOf(stage.product.url);
    expect(served).toEqual([...Object.keys(MOVES), ...Object.keys(NOT_MOVED)].sort());
  });

  /** Answers of the provider: each tenant's own to the prompt that both have, and now and then none. */
  function scriptFor(sides: readonly Side[]): void {
    stage.simulator.clearRequests();
    stage.simulator.script([
      ...sides.map((side) => ({
        match: { api_key: side.key()['api_key']!, prompt_includes: SHARED_PROMPT },
        action: { type: 'answer' as const, text: side.sharedAnswer },
      })),
      { match: { prompt_includes: CUT }, action: { type: 'cut' } },
      {
        match: { prompt_includes: DEAR },
        action: { type: 'answer', text: 'Long.', usage: { output_tokens: 100_000 } },
      },
      { probability: 0.04, latency_ms: 20, action: { type: 'cut' } },
      { probability: 0.05, action: { type: 'error', status: 500 } },
      { probability: 0.03, action: { type: 'refusal' } },
      { probability: 0.05, action: { type: 'malformed' } },
      { latency_ms: 20 },
    ]);
  }

  async function take(sides: [Side, Side], { who, operation, seed }: Step): Promise<void> {
    const [side, other] = who === 0 ? sides : [sides[1], sides[0]];
    const dice = new Random(seed);
    const ids = await Ids.of(stage.database, side, other, dice.chance(TRIED), dice);
    const { path, body, headers } = MOVES[operation]!(side, ids, dice);
    const [method = ''] = operation.split(' ');
    // Whatever the path named is there: what is learnt now is what the answer may not mention.
    await owners.learn(stage.database, other);
    const answer = await side.api.call(method, path, body, headers);
    const sent = JSON.stringify([path, body]);
    const text = JSON.stringify([answer.body, [...answer.headers]]);
    side.received.push({ what: `${method} ${path}`, text, sent });
    const isForeign = owners.of(sent).has(other);
    if (isForeign) tried.add(operation);
    if (!isForeign && answer.status < 300) succeeded.add(operation);
    const isRefused = [400, 401, 404, 409, 422].includes(answer.status);
    if (!(isRefused || (answer.status < 300 && (!isForeign || FILTERS.includes(operation)))))
      throw new Error(`${operation} ${sent} of ${side.mark} answered ${answer.status}: ${text}`);
  }

  async function takeAll(sides: [Side, Side], all: readonly Step[]): Promise<void> {
    const left = [...all];
    const lane = async () => {
      for (let step = left.shift(); step; step = left.shift()) await take(sides, step);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  /** Until nothing is under way for either of them. */
  async function quiet(sides: [Side, Side]): Promise<void> {
    const busy = `
      SELECT FROM ai_jobs WHERE tenant_id = ANY ($1) AND status IN ('pending', 'processing')
      UNION ALL SELECT FROM ai_runs WHERE tenant_id = ANY ($1) AND queueing
      UNION ALL SELECT FROM ai_holds WHERE tenant_id = ANY ($1)`;
    const tenants = sides.map(({ api }) => api.tenantId);
    await sides[0].api.until('nothing is under way', async () => {
      return (await stage.database.sql(busy, [tenants])).length === 0;
    });
  }

  async function run(all: readonly Step[]): Promise<void> {
    const sides: [Side, Side] = [await Side.open(stage, 'a'), await Side.open(stage, 'b')];
    scriptFor(sides);
    try {
      for (const side of sides) await side.settleIn();
      await takeAll(sides, all);
      await quiet(sides);
    } finally {
      for (const side of sides) side.leave();
    }
    for (const side of sides) await owners.learn(stage.database, side);
    const { findings, rows } = await rowsAstray(stage.database, owners, sides);
    const requests = stage.simulator.requests();
    expect([
      ...findings,
      ...sides.flatMap((side) => toldOfOthers(owners, side)),
      ...mixedCalls(owners, sides, requests),
      ...(redis?.findings(owners) ?? []),
    ]).toEqual([]);
    expect(rows).toBeGreaterThan(all.length);
    for (const side of sides) {
      expect(requests.some((request) => request.api_key_last_four === side.keyEnd)).toBe(true);
      expect(side.received.some(({ what }) => what.startsWith('event '))).toBe(true);
    }
  }

  it(`never mention each other: not in a row, an answer, an event, a file, an error or a call (ISOLATION_SEED=${SEED})`, async () => {
    await fc.assert(fc.asyncProperty(steps, run), { seed: SEED, numRuns: RUNS, endOnFailure: true });
    expect(Object.keys(MOVES).filter((operation) => !succeeded.has(operation))).toEqual([]);
    expect(tried.size).toBeGreaterThan(20);
  });
});
