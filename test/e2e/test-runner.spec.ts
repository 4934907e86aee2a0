import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRunning, runProgram } from '../support/program.js';

const RUNNER = fileURLToPath(new URL('../run.mjs', import.meta.url));

describe('the runner of the tests', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('leaves nothing behind when %s ends it', async (signal, code) => {
    const folder = mkdtempSync(join(tmpdir(), 'fieldsmith-runner-'));
    // Where root runs the tests, Postgres runs as another user, who must get through.
    chmodSync(folder, 0o711);
    try {
      const runner = runProgram(process.execPath, [RUNNER, 'e2e', 'start-refusals'], {
        env: { TMPDIR: folder },
      });
      const postgres = await postgresIn(folder, runner.process);
      runner.process.kill(signal);
      expect(await runner.ended).toBe(code);
      expect(runner.output()).toContain(`${signal}: stopping what was started.`);
      expect(isRunning(postgres)).toBe(false);
      expect(readdirSync(folder).filter((name) => name.startsWith('fieldsmith-test-'))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('says how it is used', async () => {
    const runner = runProgram(process.execPath, [RUNNER, 'everything']);
    expect(await runner.ended).toBe(2);
    expect(runner.output()).toContain('node test/run.mjs all|unit|e2e');
  });
});

/** The process of the Postgres that the runner starts, as soon as there is one. */
async function postgresIn(folder: string, runner: { exitCode: number | null }): Promise<number> {
  while (runner.exitCode === null) {
    const [run] = readdirSync(folder).filter((name) => name.startsWith('fieldsmith-test-'));
    const file = join(folder, run ?? '', 'data/postgres/postmaster.pid');
    const pid = run && existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
    if (pid > 0 && isRunning(pid)) return pid;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('The runner ended before its Postgres ran.');
}
