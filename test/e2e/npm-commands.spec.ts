import { jest } from '@jest/globals';
import { Api } from '../support/api.js';
import { createDatabase } from '../support/database.js';
import { TEST_MASTER_KEY } from '../support/product.js';
import { isRunning, runProgram, type Program } from '../support/program.js';

jest.setTimeout(120_000);

/** What npm runs, in a process group of its own, so that nothing of it is left. */
async function withNpm(args: string[], env: Record<string, string>, work: (npm: Program) => Promise<void>) {
  const npm = runProgram('npm', args, {
    env: { npm_config_update_notifier: 'false', ...env },
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
