import type { Api } from '../support/api.js';
import { setStage, type Stage } from '../support/stage.js';

describe('resetting and stopping keep what is still wanted', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
  });

  afterAll(() => stage.close());
  afterEach(() => stage.simulator.clearScript());

  async function pipeline(): Promise<string> {
    const { id } = await api.post('/pipelines', {
      name: 'Leads',
      fields: [
        { name: 'Name', slug: 'name', field_type: 'text' },
        {
          name: 'Note',
          slug: 'note',
          field_type: 'ai_generated',
          ai_config: { prompt: 'About {name}', cache_duration: 0 },
        },
      ],
    });
    return id;
  }

  it('generates anew after a reset while a call was in flight', async () => {
    stage.simulator.clearRequests();
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const { id } = await api.post(`/pipelines/${await pipeline()}/records`, { data: { name: 'Ada' } });
    await stage.simulator.waitForRequests(1);
    await api.patch(`/records/${id}`, { data: { note: 'mine' } });
    await api.post(`/records/${id}/ai/note/reset`);
    stage.simulator.release();
    const record = await api.settled(id);
    expect(record.ai.note.state).toBe('ready');
    expect(record.data.note).toContain('Ada');
  });

  it('does not stop with a run what an edit wants by now', async () => {
    const pipelineId = await pipeline();
    stage.simulator.clearRequests();
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const { id } = await api.post(`/pipelines/${pipelineId}/records`, { data: { name: 'Ada' } });
    await stage.simulator.waitForRequests(1);
    const run = await api.post(`/pipelines/${pipelineId}/ai/note/generate`, { scope: 'all' });
    await api.patch(`/records/${id}`, { data: { name: 'Grace' } });
    await api.post(`/ai-runs/${run.run_id}/stop`);
    stage.simulator.clearScript();
    stage.simulator.release();
    const record = await api.settled(id);
    expect(record.data.note).toContain('Grace');
  });
});
