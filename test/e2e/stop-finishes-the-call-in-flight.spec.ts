import { jest } from '@jest/globals';
import { createSimulator, type Simulator } from '#libs/llm-simulator';
import { Api } from '../support/api.js';
import { makeDataFolder, type DataFolder } from '../support/data-folder.js';
import { isRunning, runProduct, type Program } from '../support/program.js';

jest.setTimeout(120_000);

const SERVES = /Fieldsmith runs at (\S+)/;

describe('SIGTERM', () => {
  let folder: DataFolder;
  let simulator: Simulator;
  let program: Program | undefined;
  let env: Record<string, string>;

  beforeEach(async () => {
    folder = makeDataFolder();
    simulator = createSimulator();
    const { url } = await simulator.listen();
    env = {
      DATA_DIR: folder.path,
      PORT: '0',
      DEMO: '0',
      OPENAI_API_KEY: 'sk-test',
      OPENAI_BASE_URL: `${url}/v1`,
    };
  });

  afterEach(async () => {
    program?.process.kill('SIGKILL');
    await simulator.close();
    await program?.ended;
    await folder.remove();
  });

  async function serve(): Promise<string> {
    program = runProduct(env);
    return (await program.said(SERVES))[1]!;
  }

  it('lets the call in flight end, stores its value, ends Postgres and exits 0', async () => {
    const api = await Api.register(await serve());
    const ai_config = { prompt: 'Summarise {name}', model: 'gpt-4o-mini' };
    const fields = [
      { name: 'Name', slug: 'name', field_type: 'text' },
      { name: 'Summary', slug: 'summary', field_type: 'ai_generated', ai_config },
    ];
    const pipeline = await api.post('/pipelines', { name: 'Leads', fields });
    simulator.script([{ action: { type: 'hold', then: { type: 'answer', text: 'Told in time' } } }]);
    const record = await api.post(`/pipelines/${pipeline.id}/records`, { data: { name: 'Ada' } });
    await simulator.waitForRequests(1);
    const postgres = folder.postgresPid()!;
    expect(isRunning(postgres)).toBe(true);

    program!.process.kill('SIGTERM');
    await program!.said(/SIGTERM: finishing what is in flight/);
    // Another one changes nothing: the first is being obeyed.
    program!.process.kill('SIGTERM');
    expect(simulator.held).toBe(1);
    simulator.release();
    expect(await program!.ended).toBe(0);
    expect(isRunning(postgres)).toBe(false);

    const again = api.at(await serve());
    expect(await again.get(`/records/${record.id}`)).toMatchObject({
      data: { name: 'Ada', summary: 'Told in time' },
      ai: { summary: { state: 'ready' } },
    });
    const { items: jobs } = await again.get(`/ai-jobs?record_id=${record.id}`);
    expect(jobs).toMatchObject([{ status: 'completed', outcome: 'generated', retry_count: 0 }]);
    expect(simulator.requests()).toHaveLength(1);
  });

  it.each([
    ['while Postgres comes up', /^/],
    ['when Postgres runs and nothing else does', /Postgres \S+ runs on port/],
    ['while the schema is made', /migrations were run/],
  ])('during the start, %s, exits 0 and leaves no Postgres', async (_, moment) => {
    const starting = runProduct(env);
    program = starting;
    await starting.said(moment);
    const postgres = await postgresOf(folder, starting);
    starting.process.kill('SIGTERM');
    expect(await starting.ended).toBe(0);
    expect(starting.output()).not.toMatch(/^\s+at /m);
    expect(isRunning(postgres)).toBe(false);
  });
});

/** The process of the folder's Postgres as soon as there is one. */
async function postgresOf(folder: DataFolder, starting: Program): Promise<number> {
  for (;;) {
    const pid = folder.postgresPid();
    if (pid !== undefined) return pid;
    if (starting.process.exitCode !== null) throw new Error(`It ended:\n${starting.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
