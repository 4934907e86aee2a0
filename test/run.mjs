#!/usr/bin/env node
/**
 * Runs the tests: `node test/run.mjs all|unit|e2e [jest arguments]`. Builds the product, starts the Postgres the tests use
 * (the embedded one, in a folder of its own) with a migrated template database, runs Jest, and says the result in one line.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../src/build/build-tree.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const SUITES = { all: '.', unit: '/(libs|src)/', e2e: '/test/' };

const [suite = 'all', ...rest] = process.argv.slice(2);
if (!(suite in SUITES)) {
  console.error(`Unknown suite "${suite}": use ${Object.keys(SUITES).join(', ')}.`);
  process.exit(2);
}

/** Starts the tests' Postgres and makes the template that every test database is copied from. */
async function startPostgres(dir, dist) {
  const load = (path) => import(join(dist, path));
  const { startEmbeddedPostgres } = await load('src/embedded/embedded-postgres.js');
  const { migrate } = await load('src/database/migrate.js');
  const { MIGRATIONS } = await load('src/database/migrations.js');
  const { default: pg } = await import('pg');
  const settings = { fsync: 'off', max_connections: '300' };
  const postgres = await startEmbeddedPostgres({ dataDir: join(dir, 'data'), settings });
  const admin = new URL(postgres.ownerUrl);
  admin.username = 'fieldsmith_super';
  admin.pathname = '/postgres';
  await migrate(postgres.ownerUrl, MIGRATIONS);
  const client = new pg.Client({ connectionString: admin.href });
  await client.connect();
  await client.query('ALTER DATABASE fieldsmith RENAME TO fieldsmith_template');
  await client.end();
  return { postgres, env: { TEST_ADMIN_URL: admin.href, TEST_OWNER_URL: postgres.ownerUrl } };
}

function runJest(env, output) {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const config = join(root, 'test/jest.config.js');
  const named = rest.some((argument) => !argument.startsWith('-'));
  const patterns = named ? [] : ['--testPathPatterns', SUITES[suite]];
  const args = [jest, '-c', config, '--json', `--outputFile=${output}`, ...patterns, ...rest];
  const options = [
    process.env.NODE_OPTIONS,
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
  ];
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env, NODE_OPTIONS: options.filter(Boolean).join(' ') },
  });
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}

const dir = mkdtempSync(join(tmpdir(), 'fieldsmith-test-'));
// Where root runs the tests, Postgres runs as another user, who must get through.
chmodSync(dir, 0o711);
let postgres;
let code = 1;
try {
  const { dir: dist } = await build({ root });
  const env = { TEST_DIST: dist };
  if (suite !== 'unit') {
    const started = await startPostgres(dir, dist);
    postgres = started.postgres;
    Object.assign(env, started.env);
  }
  const output = join(dir, 'result.json');
  code = await runJest(env, output);
  const result = JSON.parse(readFileSync(output, 'utf8'));
  const broken = result.numRuntimeErrorTestSuites;
  const failed = result.numFailedTests + broken;
  const skipped = result.numPendingTests + result.numTodoTests;
  if (failed > 0 || skipped > 0 || result.numTotalTests === 0) code ||= 1;
  console.log(`${result.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
} finally {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = code;
