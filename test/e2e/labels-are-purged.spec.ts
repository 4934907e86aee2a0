import { randomUUID } from 'node:crypto';
import type { Api } from '../support/api.js';
import { tablesHolding } from '../support/find-text.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a field that relations of another pipeline show as their label', () => {
  let stage: Stage;
  let api: Api;
  let companies: string;
  let leads: string;
  let companyId: string;
  /** The value of the field; another one in each test. */
  let secret: string;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    secret = `secret-${randomUUID()}`;
    stage.simulator.clearRequests();
    stage.simulator.script(answering({ 'About ': 'Fine', 'Advise ': 'Call' }));
    api = await stage.tenant();
    companies = await addPipeline(
      api,
      [plain('company'), plain('town'), plain('size', { field_type: 'number' })],
      'Companies',
    );
    leads = await addPipeline(api, [
      plain('name'),
      plain('works_at', { field_type: 'relation', options: { pipeline_id: companies } }),
      ai('about', { prompt: 'About {works_at}', cache_duration: 3600 }),
      ai('advice', { prompt: 'Advise {name} with {about}' }),
    ]);
    companyId = (await addRecord(api, companies, { company: secret, town: 'Ulm', size: 3 })).id;
  });

  const mark = (slug = 'company') => api.patch(`/pipelines/${companies}/fields/${slug}`, { sensitive: true });
  const remove = () => api.ok('DELETE', `/pipelines/${companies}/fields/company`);

  it.each([
    ['marked sensitive', mark, ['records']],
    ['removed', remove, []],
  ])('is purged from what was made of them when it is %s', async (_, end, left) => {
    await addSettled(api, leads, { name: 'Ada', works_at: companyId });
    const before = await tablesHolding(stage.database, secret);
    expect(before).toEqual(expect.arrayContaining(['ai_executions', 'records']));
    await end();
    expect(await tablesHolding(stage.database, secret)).toEqual(left);
  });

  it('is not kept by a call in flight, which is made again with what the label is now', async () => {
    stage.simulator.script([
      holding('About ', `Works at ${secret}`),
      ...answering({ 'About ': 'Fine', 'Advise ': 'Call' }),
    ]);
    const created = await addRecord(api, leads, { name: 'Ada', works_at: companyId });
    await stage.simulator.waitForRequests(1);
    await mark();
    stage.simulator.release();
    const record = await api.settled(created.id);
    expect(record.data).toMatchObject({ about: 'Fine', advice: 'Call' });
    expect(prompts(stage.simulator).slice(0, 2)).toEqual([`About ${secret}`, 'About Ulm']);
    expect(await tablesHolding(stage.database, secret)).toEqual(['records']);
  });

  it('was it once: whatever is the label now, it is purged', async () => {
    await addSettled(api, leads, { name: 'Ada', works_at: companyId });
    await api.patch(`/pipelines/${companies}/fields/company`, { visible_to: ['admin', 'owner'] });
    await mark();
    expect(await tablesHolding(stage.database, secret)).toEqual(['records']);
  });

  it('takes nothing along where it can be no label', async () => {
    await addSettled(api, leads, { name: 'Ada', works_at: companyId });
    const before = await tablesHolding(stage.database, secret);
    await mark('size');
    expect(await tablesHolding(stage.database, secret)).toEqual(before);
  });
});
