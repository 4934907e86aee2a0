import type { Api } from '../support/api.js';
import { addRecord, configure, generate } from '../support/pipelines.js';
import type { Stage } from '../support/stage.js';
import { expectUnharmed, setTarget } from '../support/target.js';

describe('a template that is a bomb', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    ({ stage, api, pipelineId } = await setTarget());
  });

  afterAll(() => stage.close());

  afterEach(() => expectUnharmed(stage));

  it.each<[string, string]>([
    ['blocks inside blocks', `${'{{#if name}}'.repeat(51)}x${'{{/if}}'.repeat(51)}`],
    ['brackets inside brackets', `{{#if ${'(upper '.repeat(60)}name${')'.repeat(60)}}}x{{/if}}`],
    ['loops inside loops', `${'{{#each list}}'.repeat(51)}x${'{{/each}}'.repeat(51)}`],
    ['a text without end', 'x'.repeat(100_001)],
  ])('is refused in prompt, system message and condition: %s', async (_, bomb) => {
    for (const member of ['prompt', 'system_message', 'condition']) {
      const ai_config = { model: 'gpt-4o-mini', prompt: 'Of {name}', [member]: bomb };
      const answer = await api.call('PATCH', `/pipelines/${pipelineId}/fields/facts`, { ai_config });
      expect([member, answer.status, answer.body.errors?.[0]?.path]).toEqual([
        member,
        422,
        `ai_config.${member}`,
      ]);
    }
  });

  it('that grows without end ends the job, wherever it stands, before a call', async () => {
    const list = Array.from({ length: 400 }, (_, n) => 'x'.repeat(50) + n);
    const { id } = await addRecord(api, pipelineId, { name: 'Bomb', list });
    const loops = '{{#each list}}{{#each ../list}}{{this}}{{/each}}{{/each}}';
    const size = '{{#each list}}{{json ../list}}{{/each}}';
    stage.simulator.clearRequests();
    for (const [config, code] of [
      [{ prompt: loops }, 'prompt_too_many_iterations'],
      [{ prompt: size }, 'prompt_too_large'],
      [{ prompt: 'x', condition: loops }, 'prompt_too_many_iterations'],
      [{ prompt: 'x', condition: size }, 'prompt_too_large'],
      [{ prompt: 'x', system_message: loops }, 'prompt_too_many_iterations'],
    ] as const) {
      await configure(api, pipelineId, 'facts', { ...config, auto_regenerate: false });
      expect(await generate(api, id, 'facts', true)).toMatchObject({ status: 'failed', error_code: code });
    }
    expect(stage.simulator.requests()).toEqual([]);
  });
});
