#!/usr/bin/env node
/**
 * Runs the tests: `[DELIVERY=bull] node test/run.mjs all|unit|e2e [jest arguments]`. Builds the product, starts what the
 * tests use (the embedded Postgres with a migrated template database, a Redis), runs Jest, and says the result in one
 * line. The tests of the main job run under both deliveries; `DELIVERY=bull` with a name runs any test under Bull.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../src/build/build-tree.mjs';
import { runJest } from './run/jest.mjs';
import { mainJobPattern } from './run/main-job.mjs';
import { startPostgres } from './run/postgres.mjs';
import { redisServerOrStop, startRedis } from './run/redis.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const SUITES = { all: '.', unit: '/(libs|src)/', e2e: '/test/' };
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 };

const [suite = 'all', ...rest] = process.argv.slice(2);
const delivery = process.env.DELIVERY ?? 'in-process';
if (!(suite in SUITES) || !['in-process', 'bull'].includes(delivery)) {
  console.error(`Use: [DELIVERY=in-process|bull] node test/run.mjs ${Object.keys(SUITES).join('|')} [names]`);
  process.exit(2);
}

const dir = mkdtempSync(join(tmpdir(), 'fieldsmith-test-'));
// Where root runs the tests, Postgres runs as another user, who must get through.
chmodSync(dir, 0o711);
/** What is to be stopped, the latest first. */
const started = [];
let endJest;
let ending;
let interrupted;

for (const signal of Object.keys(EXIT_CODES)) {
  process.on(signal, () => {
    interrupted ??= signal;
    ending ??= endJest?.();
  });
}

async function start(starting) {
  const { stop, ...rest } = await starting;
  started.unshift(stop);
  if (interrupted) throw new Error(`Interrupted by ${interrupted}.`);
  return rest;
}

/** Redis for the tests: `REDIS_URL`, or one that is started here. Tests that kill a Redis start their own. */
async function redisEnv() {
  const server = redisServerOrStop();
  const url = process.env.REDIS_URL ?? (await start(startRedis(server, dir))).url;
  return { TEST_REDIS_URL: url, TEST_REDIS_SERVER: server };
}

/** One run of Jest; a second one where everything is tested. */
function passes() {
  if (rest.some((argument) => !argument.startsWith('-'))) return [{ delivery, args: rest }];
  const all = { delivery, args: ['--testPathPatterns', SUITES[suite], ...rest] };
  if (suite === 'unit' || delivery === 'bull') return [all];
  return [all, { delivery: 'bull', args: ['--testPathPatterns', mainJobPattern(), ...rest] }];
}

async function run() {
  const { dir: dist } = await build({ root });
  const env = { TEST_DIST: dist };
  if (suite !== 'unit') {
    Object.assign(env, await redisEnv());
    Object.assign(env, (await start(startPostgres(dir, dist))).env);
  }
  const results = [];
  for (const pass of passes()) {
    if (interrupted) break;
    if (pass.delivery === 'bull') console.log('\nDelivery through Bull on Redis:');
    const output = join(dir, `result-${results.length}.json`);
    const passEnv = { ...env, DELIVERY: pass.delivery };
    const onStart = (end) => (endJest = end);
    results.push(await runJest({ root, args: pass.args, env: passEnv, output, onStart }));
  }
  return results;
}

function report(results) {
  const sum = (of) => results.reduce((total, result) => total + result[of], 0);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  const clean = results.every(({ code, passed }) => code === 0 && passed > 0);
  return clean && sum('failed') === 0 && sum('skipped') === 0 ? 0 : 1;
}

let code = 1;
try {
  code = report(await run());
} catch (error) {
  console.error(interrupted ? `${interrupted}: stopping what was started.` : (error?.message ?? error));
} finally {
  await ending;
  for (const stop of started) await stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = interrupted ? EXIT_CODES[interrupted] : code;
