import type { Api, Body } from '../support/api.js';
import { ledgerOf } from '../support/ledger.js';
import { ageExecution, runJob } from '../support/maintenance.js';
import { addPipeline, addSettled, ai, plain } from '../support/pipelines.js';
import { answering } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const DAYS = 3;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Kept {
  id: string;
  request: Body;
  answer: string | null;
  value: Body;
  cost_nano: string;
  error_message: string | null;
}

describe('what executions hold goes after the days that the tenant keeps content', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let recordId: string;

  beforeAll(async () => {
    stage = await setStage();
    stage.simulator.script(answering({ 'Grade Ada': 'Secret grade', 'Summarise Ada': 'About Ada' }));
    api = await stage.tenant();
    await api.patch('/ai-settings', { content_retention_days: DAYS });
    pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}' })]);
    recordId = (await addSettled(api, pipelineId, { name: 'Ada' })).id;
  });

  afterAll(() => stage.close());

  const draft = (more: Record<string, unknown> = {}) => ({
    pipeline_id: pipelineId,
    record_id: recordId,
    ai_config: { model: 'gpt-4o-mini', prompt: 'Grade {name}', ...more },
  });
  const executions = () =>
    stage.database.sql<Kept>(
      `SELECT id, request, answer, value, cost_nano, error_message FROM ai_executions WHERE tenant_id = $1 ORDER BY created_at, n`,
      [api.tenantId],
    );
  const age = (id: string, ms: number) => ageExecution(stage.database, id, ms);
  /** Makes a try. @returns the ids of its executions. */
  async function tried(config: Record<string, unknown> = {}, path = '/ai-fields/try'): Promise<string[]> {
    const before = new Set((await executions()).map(({ id }) => id));
    await api.call('POST', path, draft(config));
    return (await executions()).map(({ id }) => id).filter((id) => !before.has(id));
  }

  it('a preview leaves none at all', async () => {
    expect(await tried({}, '/ai-fields/preview')).toEqual([]);
  });

  it('a try: prompt, answer and value go, its cost stays; a young one and the current value stay whole', async () => {
    const [first] = await executions();
    const [made] = await tried();
    const parsed = await tried({ output_type: 'number' });
    const [last] = await tried();
    const money = await ledgerOf(stage.database, api.tenantId);

    const young = await age(last!, DAYS * DAY_MS - HOUR_MS);
    const [current, old] = [
      await age(first!.id, DAYS * DAY_MS + 1000),
      await age(made!, DAYS * DAY_MS + 1000),
    ];
    const unread: string[] = [];
    for (const id of parsed) unread.push(await age(id, DAYS * DAY_MS + 1000));
    const before = new Map((await executions()).map((row) => [row.id, row]));
    expect(before.get(old)).toMatchObject({ answer: 'Secret grade', value: 'Secret grade' });
    expect(unread.map((id) => before.get(id)!.error_message).join()).toContain('Secret grade');
    await runJob(stage.database, 'apply_retention');
    const after = new Map((await executions()).map((row) => [row.id, row]));
    for (const id of [old, ...unread]) {
      expect(after.get(id)).toMatchObject({ request: null, answer: null, value: null, error_message: null });
      expect(after.get(id)!.cost_nano).toBe(before.get(id)!.cost_nano);
      expect(Number(after.get(id)!.cost_nano)).toBeGreaterThan(0);
    }
    for (const id of [young, current]) expect(after.get(id)).toEqual(before.get(id));
    expect(JSON.stringify([...after.values()].filter(({ id }) => id !== young))).not.toContain('grade');
    expect(await ledgerOf(stage.database, api.tenantId)).toEqual(money);
    expect((await api.get(`/records/${recordId}/ai/summary/history`)).items).toMatchObject([
      { execution_id: current, value: 'About Ada' },
    ]);
  });
});
