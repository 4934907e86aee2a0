import type { Body } from '../support/api.js';
import type { EventReader } from '../support/event-reader.js';
import { setPay, type Pay } from '../support/pay.js';
import { addPipeline, addSettled, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

/** What is another one for every job, whatever it worked on. */
const OWN = [
  'id',
  'record_id',
  'run_after',
  'created_at',
  'started_at',
  'completed_at',
  'processing_time_ms',
];

const FIELDS = [
  plain('name'),
  plain('salary', { field_type: 'number', visible_to: ['admin'] }),
  ai('flag', { prompt: 'Flag: {name}', condition: '{{gt salary 100000}}' }),
  ai('hello', { prompt: 'Hello: {name}' }),
];

describe('how a job ended of a field whose condition reads what is hidden', () => {
  let stage: Stage;
  let pay: Pay;
  let pipelineId: string;
  let screens: Record<'viewer' | 'editor' | 'owner', EventReader>;
  let records: Record<'rich' | 'poor', string>;

  beforeAll(async () => {
    stage = await setStage();
    pay = await setPay(stage);
    const { owner, editor, viewer } = pay;
    pipelineId = await addPipeline(owner, FIELDS, 'Flags');
    screens = {
      viewer: await viewer.events(),
      editor: await editor.events(),
      owner: await owner.events(),
    };
    const [rich, poor] = [
      await addSettled(owner, pipelineId, { name: 'Ada', salary: 200_000 }),
      await addSettled(owner, pipelineId, { name: 'Joe', salary: 50_000 }),
    ];
    records = { rich: rich.id, poor: poor.id };
    for (const [name, id] of Object.entries(records)) {
      await editor.patch(`/records/${id}`, { data: { name } });
      await owner.settled(id);
    }
  });

  afterAll(async () => {
    for (const screen of Object.values(screens)) screen.close();
    pay.close();
    await stage.close();
  });

  /** The ends of a field's jobs as a screen was told of them. */
  async function told(screen: EventReader, recordId: string, field: string): Promise<Body[]> {
    const ends = () =>
      screen.events
        .filter(({ data }) => data['record_id'] === recordId && data['field'] === field)
        .filter(({ data }) => data['status'] === 'completed')
        .map(({ type, data: { status, outcome, error_code: code } }) => [type, status, outcome, code]);
    return pay.owner.until('all is told', async () => (ends().length >= 4 ? ends() : undefined));
  }

  it('is told by no event to who does not see the field, and by all to who does', async () => {
    const twice = (outcome?: string, code?: string | null) =>
      [1, 2].flatMap(() =>
        ['ai_job.changed', 'ai_value.changed'].map((type) => [type, 'completed', outcome, code]),
      );
    for (const screen of [screens.viewer, screens.editor]) {
      expect(await told(screen, records.rich, 'flag')).toEqual(twice());
      expect(await told(screen, records.poor, 'flag')).toEqual(twice());
      expect(await told(screen, records.poor, 'hello')).toEqual(twice('generated', null));
    }
    expect(await told(screens.owner, records.rich, 'flag')).toEqual(twice('generated', null));
    expect(await told(screens.owner, records.poor, 'flag')).toEqual(twice('unchanged', 'condition_not_met'));
  });

  it('is told by no event that is read again, nor once the pipeline is gone', async () => {
    const gone = await addPipeline(pay.owner, FIELDS, 'Gone');
    const { id } = await addSettled(pay.owner, gone, { name: 'Joe', salary: 1 });
    const before = screens.viewer.events[0]!.id;
    await pay.owner.ok('DELETE', `/pipelines/${gone}`);
    const again = await pay.viewer.events(before);
    const ended = await pay.owner.until('all is told again', async () => {
      const ends = again.events.filter(({ data }) => data['record_id'] === id && data['field'] === 'flag');
      return ends.some(({ data }) => data['status'] === 'completed') && ends;
    });
    again.close();
    expect(ended.filter(({ data }) => 'outcome' in data || 'error_code' in data)).toEqual([]);
  });

  it('is shown on no job, nor what was used for it', async () => {
    const jobs: Record<string, Body> = {};
    for (const [who, id] of Object.entries(records)) {
      const { items } = await pay.editor.get(`/ai-jobs?record_id=${id}&field=flag`);
      expect(items).toHaveLength(1);
      const whole = await pay.editor.get(`/ai-jobs/${items[0].id}`);
      expect(whole).toEqual({ ...items[0], executions: [] });
      jobs[who] = Object.fromEntries(Object.entries(items[0]).filter(([key]) => !OWN.includes(key)));
      expect((await pay.admin.get(`/ai-jobs/${items[0].id}`)).outcome).not.toBeNull();
    }
    expect(jobs['rich']).toEqual(jobs['poor']);
    expect(jobs['rich']).toMatchObject({
      status: 'completed',
      outcome: null,
      error_code: null,
      error_message: null,
      tokens_used: null,
      cost_cents: null,
      cost_usd: null,
    });
    const { items } = await pay.editor.get(`/ai-jobs?record_id=${records.poor}&field=hello`);
    expect(items).toMatchObject([{ outcome: 'generated', error_code: null, ai_provider: 'openai' }]);
    expect(items[0].tokens_used).toBeGreaterThan(0);
  });

  it('finds no job for who does not see every field', async () => {
    const found = '/ai-jobs?error_code=condition_not_met';
    const here = `${found}&pipeline_id=${pipelineId}`;
    for (const path of [found, here]) {
      const { status, body } = await pay.editor.call('GET', path);
      expect([status, body.code, body.errors[0].path]).toEqual([403, 'field_not_visible', 'error_code']);
    }
    expect((await pay.admin.get(here)).items).toHaveLength(2);
    expect((await pay.admin.call('GET', found)).status).toBe(200);
    const open = await addPipeline(
      pay.owner,
      [plain('name'), ai('hello', { prompt: 'Hello: {name}' })],
      'Open',
    );
    expect((await pay.editor.get(`${found}&pipeline_id=${open}`)).items).toEqual([]);
  });
});
