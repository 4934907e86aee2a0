import type { Api, Body } from '../support/api.js';
import { heldOf, ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { answering, promptOf, prompts, systemOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a configuration before it is saved', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let record: Body;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant('Acme');
    pipelineId = await addPipeline(api, [plain('name'), plain('city'), plain('salary', { sensitive: true })]);
    record = await addRecord(api, pipelineId, { name: 'Ada', city: 'Ulm', salary: '90000' });
  });

  function draft(config: Record<string, unknown>, more: Record<string, unknown> = { record_id: record.id }) {
    return { pipeline_id: pipelineId, ai_config: { model: 'gpt-4o-mini', ...config }, ...more };
  }

  /** What there is in the database of this tenant's own, without money. */
  async function traces(): Promise<unknown> {
    const count = async (table: string) =>
      (await stage.database.sql(`SELECT FROM ${table} WHERE tenant_id = $1`, [api.tenantId])).length;
    const row = await api.get(`/records/${record.id}`);
    return {
      row,
      jobs: await count('ai_jobs'),
      values: await count('ai_values'),
      runs: await count('ai_runs'),
    };
  }

  it('is previewed on a record without a call, with its bounds', async () => {
    const before = await traces();
    const preview = await api.post(
      '/ai-fields/preview',
      draft({
        prompt: 'Tell of {name} at {tenant_name}: {*}',
        system_message: 'Of {city}.',
        max_tokens: 1_000,
      }),
    );
    expect(preview).toMatchObject({
      prompt: 'Tell of Ada at Acme: Name: Ada\nCity: Ulm',
      system_message: 'Of Ulm.',
      excluded: ['salary'],
      warnings: [],
    });
    expect([...preview.references].sort()).toEqual(['city', 'name']);
    const bytes = Buffer.byteLength(preview.prompt + preview.system_message);
    expect(preview.input_tokens).toBeGreaterThanOrEqual(bytes);
    // gpt-4o-mini: 0.15 USD a million input tokens, 0.60 a million output tokens.
    expect(preview.max_cost_usd).toBeCloseTo((preview.input_tokens * 0.15 + 1_000 * 0.6) / 1e6, 12);

    expect(stage.simulator.requests()).toEqual([]);
    expect(await traces()).toEqual(before);
    expect(await ledgerOf(stage.database, api.tenantId)).toEqual([]);
  });

  it('is previewed without a record too, with empty values and a word of warning', async () => {
    const named = await api.post('/ai-fields/preview', draft({ prompt: 'Tell of {name}.' }, {}));
    expect(named.prompt).toBe('Tell of .');
    const fixed = await api.post('/ai-fields/preview', draft({ prompt: 'Tell a joke.' }, {}));
    expect(fixed.warnings).toEqual([expect.stringContaining('reads no field')]);
    const unpriced = await api.post(
      '/ai-fields/preview',
      draft({ prompt: 'Tell {name}', model: 'gpt-unheard-of' }),
    );
    expect(unpriced.max_cost_usd).toBeNull();
    expect(unpriced.warnings).toEqual([expect.stringContaining('No price is known')]);
  });

  it('is tried with a call that is accounted, and stores nothing on the record', async () => {
    stage.simulator.script(answering({ 'Grade Ada': 'The grade is 2' }));
    const before = await traces();
    const tried = await api.post(
      '/ai-fields/try',
      draft({ prompt: 'Grade {name}', output_type: 'number', system_message: 'Of {city}.' }),
    );
    expect(tried).toMatchObject({ value: 2, model: 'gpt-4o-mini' });
    expect(prompts(stage.simulator)).toEqual(['Grade Ada']);
    expect(systemOf(stage.simulator.requests()[0]!)).toContain('Of Ulm.');
    expect(await traces()).toEqual(before);

    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ operation: 'field_try', entry: 'settled', tokens: tried.tokens });
    expect(rows[0]!.cost).toBeGreaterThan(0);
    expect(Math.round(tried.cost_usd * 1e9)).toBe(rows[0]!.cost);
    expect(rows[0]!.hold).toBeGreaterThanOrEqual(rows[0]!.cost);
    expect(await heldOf(stage.database, api.tenantId)).toBe(0);
    const executions = await stage.database.sql('SELECT stored FROM ai_executions WHERE tenant_id = $1', [
      api.tenantId,
    ]);
    expect(executions).toEqual([{ stored: false }]);
  });

  it('is tried within the budget only', async () => {
    await api.patch('/ai-settings', { monthly_budget_cents: 0.000001 });
    const answer = await api.call('POST', '/ai-fields/try', draft({ prompt: 'Grade {name}' }));
    expect(answer).toMatchObject({ status: 402, body: { code: 'budget_exceeded' } });
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('answers what the provider said where a try fails, and pays nothing for a refused request', async () => {
    stage.simulator.script([{ action: { type: 'error', status: 400, message: 'Too strange' } }]);
    const answer = await api.call('POST', '/ai-fields/try', draft({ prompt: 'Grade {name}' }));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body.code).toBe('provider_invalid_request');
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows.map(({ entry, cost }) => [entry, cost])).toEqual([['released', 0]]);
  });

  it('is tried on the values of the field it will replace', async () => {
    await api.post(`/pipelines/${pipelineId}/fields`, ai('summary', { prompt: 'Summarise {name}' }));
    const body = draft({ prompt: 'Again {name}' }, { record_id: record.id, field: 'summary' });
    await api.post('/ai-fields/try', body);
    expect(stage.simulator.requests().map(promptOf)).toEqual(['Again Ada']);
    expect((await api.get(`/records/${record.id}`)).ai.summary).toEqual({ state: 'empty' });
  });
});
