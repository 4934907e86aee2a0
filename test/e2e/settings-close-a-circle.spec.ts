import { setStage, type Stage } from '../support/stage.js';

describe('settings that close a circle of AI fields', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());

  it('rest the fields of the circle and leave the records usable', async () => {
    const api = await stage.tenant();
    await api.patch('/ai-settings', { denied_fields: ['cb'] });
    const pipeline = await api.post('/pipelines', {
      name: 'Leads',
      fields: [
        { name: 'Name', slug: 'name', field_type: 'text' },
        {
          name: 'All',
          slug: 'ca',
          field_type: 'ai_generated',
          ai_config: { prompt: 'Of {*}', include_ai_fields: true },
        },
        { name: 'Next', slug: 'cb', field_type: 'ai_generated', ai_config: { prompt: 'Of {ca}' } },
      ],
    });
    const { id } = await api.post(`/pipelines/${pipeline.id}/records`, { data: { name: 'Ada' } });
    await api.settled(id);
    await api.patch('/ai-settings', { denied_fields: ['ssn'] });

    const record = await api.get(`/records/${id}`);
    expect(record.ai.ca.error.code).toBe('invalid_ai_config');
    await api.patch(`/records/${id}`, { data: { name: 'Grace' } });
    expect((await api.get(`/records/${id}`)).data.name).toBe('Grace');
  });
});
