import { jest } from '@jest/globals';
import fc from 'fast-check';
import type { Answer } from '../support/api.js';
import { Random } from '../support/random.js';
import { quiet } from '../support/quiet.js';
import { setStage, type Stage } from '../support/stage.js';
import { mixedCalls, rowsAstray, toldOfOthers } from './findings.js';
import { Ids } from './ids.js';
import { FILTERS, MOVES, NOT_MOVED } from './moves.js';
import { operationsOf } from './operations.js';
import { Owners } from './owners.js';
import { RedisWatch } from './redis-watch.js';
import { scriptFor, steadyScriptFor } from './script.js';
import { Side } from './side.js';

jest.setTimeout(300_000);

/** Others explore further. Set both to see a failure again; how calls interleave with work in the background does not follow from the seed. */
const SEED = Number(process.env['ISOLATION_SEED'] ?? 20_261_121);
const RUNS = Number(process.env['ISOLATION_RUNS'] ?? 2);
/** How often what has not succeeded yet is tried again, on what there is by then. */
const MORE_TRIES = 25;
/** Calls of the API at once. */
const LANES = 4;

/** One call of one of the two tenants. */
interface Step {
  who: 0 | 1;
  operation: string;
  /** Whether it names the other one's things. */
  tries: boolean;
  /** Decides all else. */
  seed: number;
}

const DECK = Object.keys(MOVES).flatMap((operation, n) => [
  { who: 0 as const, operation, tries: false },
  { who: 1 as const, operation, tries: false },
  { who: (n % 2) as 0 | 1, operation, tries: true },
]);

/** Every operation by each tenant on its own things and by one on the other's, in any order, and some again. */
const steps: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.shuffledSubarray(DECK, { minLength: DECK.length }),
    fc.array(fc.constantFrom(...DECK), { maxLength: 30 }),
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
  const refused = new Map<string, string>();
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

  async function take(sides: [Side, Side], { who, operation, tries, seed }: Step): Promise<void> {
    const [side, other] = who === 0 ? sides : [sides[1], sides[0]];
    const dice = new Random(seed);
    const ids = await Ids.of(stage.database, side, other, tries, dice);
    for (const id of ids.others) owners.know(other, id);
    const { path, body, headers } = MOVES[operation]!(side, ids, dice);
    const [method = ''] = operation.split(' ');
    const answer = await side.api.call(method, path, body, headers);
    const sent = JSON.stringify([path, body]);
    const text = JSON.stringify([answer.body, [...answer.headers]]);
    side.received.push({ what: `${method} ${path}`, text, sent });
    const isForeign = owners.of(sent).has(other);
    if (isForeign) tried.add(operation);
    else if (answer.status < 300) succeeded.add(operation);
    else refused.set(operation, `${sent} → ${text}`);
    const mayWork = !isForeign || FILTERS.includes(operation);
    if (!isRefused(answer) && !(answer.status < 300 && mayWork))
      throw new Error(`${operation} ${sent} of ${side.mark} answered ${answer.status}: ${text}`);
  }

  async function takeAll(sides: [Side, Side], all: readonly Step[]): Promise<void> {
    const left = [...all];
    const lane = async () => {
      for (let step = left.shift(); step; step = left.shift()) await take(sides, step);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  /** What found nothing that it could be done to, until it does. */
  async function takeAgain(sides: [Side, Side]): Promise<void> {
    for (let tries = 0; tries < MORE_TRIES; tries += 1) {
      for (const operation of missing())
        await take(sides, { who: (tries % 2) as 0 | 1, operation, tries: false, seed: SEED + tries });
      for (const operation of Object.keys(MOVES).filter((name) => tries < 3 && !tried.has(name)))
        await take(sides, { who: (tries % 2) as 0 | 1, operation, tries: true, seed: SEED + tries });
    }
  }

  const missing = () => Object.keys(MOVES).filter((operation) => !succeeded.has(operation));

  async function run(all: readonly Step[]): Promise<void> {
    const sides: [Side, Side] = [await Side.open(stage, 'a'), await Side.open(stage, 'b')];
    stage.simulator.clearRequests();
    stage.simulator.script(steadyScriptFor(sides));
    try {
      for (const side of sides) await side.settleIn();
      stage.simulator.script(scriptFor(sides));
      await takeAll(sides, all);
      await takeAgain(sides);
      stage.simulator.release();
      for (const { api } of sides) await quiet(stage.database, api);
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
    expect(missing().map((operation) => [operation, refused.get(operation)])).toEqual([]);
    expect(tried.size).toBeGreaterThan(30);
  });
});

/** What is asked for is not there, cannot be, or the provider failed; an owner may do everything, and nothing breaks. */
function isRefused({ status, body }: Answer): boolean {
  const byProvider = String((body as { code?: string }).code).startsWith('provider_');
  return byProvider || (status >= 400 && status < 500 && status !== 403 && status !== 429);
}
