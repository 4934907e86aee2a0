import type { Api } from '../support/api.js';
import { heldOf, ledgerOf } from '../support/ledger.js';
import { answering, holding, prompts, systemOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const NODE = {
  node_id: 'grade',
  job_type: 'ai_prompt',
  model: 'gpt-4o-mini',
  prompt: 'Grade {lead}: {{workflow_data.step}}',
  output_type: 'number',
};

describe('a node of a workflow', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.script(answering({ 'Grade Ada': '2' }));
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  function body(node: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
    return {
      node_config: { ...NODE, ...node },
      workflow_context: { lead: 'Ada', step: 3 },
      execution_id: 'execution-7',
      ...more,
    };
  }

  it('answers with the result where the caller waits', async () => {
    const answer = await api.call(
      'POST',
      '/workflow-ai',
      body({ system_message: 'Step {step}.' }, { wait: true }),
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      job_id: expect.any(String),
      status: 'completed',
      outcome: 'generated',
      output_data: { node_id: 'grade', execution_id: 'execution-7', value: 2 },
    });
    expect(answer.body.cost_usd).toBeGreaterThan(0);
    expect(prompts(stage.simulator)).toEqual(['Grade Ada: 3']);
    expect(systemOf(stage.simulator.requests()[0]!)).toContain('Step 3.');
    const [row, ...more] = await ledgerOf(stage.database, api.tenantId);
    expect(row).toMatchObject({ operation: 'workflow_node', entry: 'settled', field: null });
    expect(row!.cost).toBe(Math.round(answer.body.cost_usd * 1e9));
    expect(more).toEqual([]);
  });

  it('answers with the id of its job at once where nobody waits', async () => {
    stage.simulator.script([holding('Grade Ada', '2')]);
    const answer = await api.call('POST', '/workflow-ai', body());
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ job_id: expect.any(String) });
    await stage.simulator.waitForRequests(1);
    const running = await api.get(`/ai-jobs/${answer.body.job_id}`);
    expect(running).toMatchObject({
      job_type: 'workflow_node',
      status: 'processing',
      lane: 'interactive',
      record_id: null,
      cause: { origin: 'workflow', principal_id: api.userId },
    });
    stage.simulator.release();
    const job = await api.job(answer.body.job_id);
    expect(job).toMatchObject({ status: 'completed', output_data: { value: 2, node_id: 'grade' } });
    expect(await heldOf(stage.database, api.tenantId)).toBe(0);
  });

  it('is a job of its own each time: nothing is folded and nothing cached', async () => {
    const ids = await Promise.all([1, 2, 3].map(async () => (await api.post('/workflow-ai', body())).job_id));
    for (const id of ids) expect(await api.job(id)).toMatchObject({ outcome: 'generated' });
    expect(new Set(ids).size).toBe(3);
    expect(stage.simulator.requests()).toHaveLength(3);
  });

  it('tells a waiting caller of the failure', async () => {
    stage.simulator.script([{ action: { type: 'error', status: 400, message: 'Too strange' } }]);
    const answer = await api.call('POST', '/workflow-ai', body({}, { wait: true }));
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: 'failed', error_code: 'provider_invalid_request' });
  });

  it.each([
    ['a name that the context does not have', { prompt: 'Grade {leed}' }, 'node_config.prompt', '"lead"'],
    ['an unknown output type', { output_type: 'poem' }, 'node_config.output_type', 'number'],
    ['a select without choices', { output_type: 'select' }, 'node_config.choices', 'choice'],
  ])('is refused for %s', async (_what, node, path, hint) => {
    const answer = await api.call('POST', '/workflow-ai', body(node));
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_node_config' } });
    expect(answer.body.errors).toEqual([{ path, message: expect.stringContaining(hint) }]);
    expect((await api.get('/ai-jobs')).items).toEqual([]);
  });

  it('is refused to viewers', async () => {
    const viewer = await api.as('viewer');
    expect((await viewer.call('POST', '/workflow-ai', body())).status).toBe(403);
  });
});
