import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { Api } from '../support/api.js';
import { createDatabase } from '../support/database.js';
import { TEST_MASTER_KEY } from '../support/product.js';
import { isRunning, runProgram, type Program } from '../support/program.js';

jest.setTimeout(120_000);

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What npm runs, in a process group of its own, so that nothing of it is left. */
async function withNpm(
  args: string[],
  env: Record<string, string>,
  work: (npm: Program) => Promise<void>,
  cwd = ROOT,
) {
  const npm = runProgram('npm', args, {
    env: { npm_config_update_notifier: 'false', ...env },
    cwd,
    detached: true,
  });
  try {
    await work(npm);
  } finally {
    const group = npm.process.pid!;
    if (isRunning(group)) process.kill(-group, 'SIGKILL');
    await npm.ended;
  }
}

/** A folder with what the last stage of the Dockerfile takes from the build, and nothing else. */
function layOutLikeTheImage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fieldsmith-image-'));
  const stage = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
    .split(/^FROM /m)
    .at(-1)!;
  for (const [, name] of stage.matchAll(/^COPY --from=build \/app\/(\S+)/gm)) {
    if (name === 'node_modules') symlinkSync(join(ROOT, name), join(folder, name));
    else if (name === 'dist')
      cpSync(process.env['TEST_DIST']!, join(folder, 'dist/current'), { recursive: true });
    else cpSync(join(ROOT, name!), join(folder, name!), { recursive: true });
  }
  return folder;
}

describe('npm', () => {
  it('start: serves, and hands SIGTERM and the exit code through', async () => {
    const database = await createDatabase();
    const env = { DATABASE_URL: database.url, MASTER_KEY: TEST_MASTER_KEY, PORT: '0', DEMO: '0' };
    await withNpm(['start'], env, async (npm) => {
      const [, url] = await npm.said(/Fieldsmith runs at (\S+)/);
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      expect((await Api.register(url!)).tenantId).toBeTruthy();
      npm.process.kill('SIGTERM');
      expect(await npm.ended).toBe(0);
      await expect(fetch(`${url}/health/ready`)).rejects.toThrow('fetch failed');
    });
    await database.drop();
  });

  it('run job: prints what the job did as its last line', async () => {
    const database = await createDatabase();
    const env = { DATABASE_URL: database.url, MASTER_KEY: TEST_MASTER_KEY };
    await withNpm(['run', 'job', '--', 'ensure_ledger_months'], env, async (npm) => {
      expect(await npm.ended).toBe(0);
      expect(JSON.parse(npm.output().trim().split('\n').at(-1)!)).toMatchObject({
        job: 'ensure_ledger_months',
        outcome: 'completed',
      });
    });
    await database.drop();
  });

  it('start and run job: work in the image too, which has a build and no source', async () => {
    const database = await createDatabase();
    const cwd = layOutLikeTheImage();
    const env = { DATABASE_URL: database.url, MASTER_KEY: TEST_MASTER_KEY, PORT: '0', DEMO: '0' };
    const run = async (npm: Program) =>
      expect([await npm.ended, npm.output()]).toEqual([0, expect.stringContaining('"outcome":"completed"')]);
    await withNpm(['run', 'job', '--', 'rotate-master-key'], env, run, cwd);
    const serve = async (npm: Program) => {
      await npm.said(/Fieldsmith runs at (\S+)/);
      npm.process.kill('SIGTERM');
      expect(await npm.ended).toBe(0);
    };
    await withNpm(['start'], env, serve, cwd);
    await database.drop();
    rmSync(cwd, { recursive: true });
  });

  it('run simulator: answers as a provider and stops on SIGTERM', async () => {
    await withNpm(['run', 'simulator'], { PORT: '0' }, async (npm) => {
      const [, url] = await npm.said(/OpenAI at (\S+),/);
      const response = await fetch(`${url}/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer sk-test', 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'gpt-4o-mini',
          messages: [{ role: 'user', content: 'Summarise Ada from Analytical Engines' }],
        }),
      });
      expect(response.status).toBe(200);
      const { choices, usage } = (await response.json()) as {
        choices: { message: { content: string } }[];
        usage: { prompt_tokens: number };
      };
      expect(choices[0]?.message.content).toContain('Ada');
      expect(usage.prompt_tokens).toBeGreaterThan(0);
      npm.process.kill('SIGTERM');
      expect(await npm.ended).toBe(0);
    });
  });
});
