import type { Api } from '../support/api.js';
import { setStage, type Stage } from '../support/stage.js';

describe('an edit regenerates', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    const pipeline = await api.post('/pipelines', {
      name: 'Leads',
      fields: [
        { name: 'Name', slug: 'name', field_type: 'text' },
        { name: 'Notes', slug: 'notes', field_type: 'textarea' },
        {
          name: 'Summary',
          slug: 'summary',
          field_type: 'ai_generated',
          ai_config: { prompt: 'Summarise {name}', model: 'gpt-4o-mini' },
        },
      ],
    });
    pipelineId = pipeline.id;
  });

  afterAll(() => stage.close());
  beforeEach(() => stage.simulator.clearRequests());

  it('generates on create and again when a field of the prompt changes', async () => {
    const created = await api.post(`/pipelines/${pipelineId}/records`, { data: { name: 'Ada' } });
    expect(created.ai_processing.triggered_jobs).toEqual([
      { field: 'summary', job_id: expect.any(String), status: 'queued_on_commit' },
    ]);
    const first = await api.settled(created.id);
    expect(first.ai.summary.state).toBe('ready');
    expect(first.data.summary).toContain('Ada');

    await api.patch(`/records/${created.id}`, { data: { name: 'Grace' } });
    const second = await api.settled(created.id);
    expect(second.data.summary).toContain('Grace');
    expect(second.version).toBe(2);
    expect(stage.simulator.requests()).toHaveLength(2);
  });
});
