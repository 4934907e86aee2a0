import { randomUUID } from 'node:crypto';
import type { Api, Body } from '../support/api.js';
import { addPipeline, addRecord, addSettled, ai, generate, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const LIST = { visible_to: ['admin'] };

describe('a field that relations of another pipeline show as their label, once it is for some roles only', () => {
  let stage: Stage;
  let owner: Api;
  let readers: Record<'viewer' | 'admin', Api>;
  let companies: string;
  let leads: string;
  let companyId: string;
  /** The value of the field; another one in each test. */
  let secret: string;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  afterEach(() => Object.values(readers).forEach((api) => api.close()));
  beforeEach(async () => {
    secret = `secret-${randomUUID()}`;
    stage.simulator.clearRequests();
    stage.simulator.script(
      answering({
        'About Ulm': 'Fine',
        'About ': `Works at ${secret}`,
        'Advise ': `Call ${secret}`,
        'Greet ': 'Hi',
      }),
    );
    owner = await stage.tenant();
    readers = { viewer: await owner.as('viewer'), admin: await owner.as('admin') };
    companies = await addPipeline(owner, [plain('company'), plain('town')], 'Companies');
    leads = await addPipeline(owner, [
      plain('name'),
      plain('works_at', { field_type: 'relation', options: { pipeline_id: companies } }),
      ai('about', { prompt: 'About {works_at}' }),
      ai('advice', { prompt: 'Advise {about}' }),
      ai('greeting', { prompt: 'Greet {name}' }),
    ]);
    companyId = (await addRecord(owner, companies, { company: secret, town: 'Ulm' })).id;
  });

  const limit = (slug = 'company') => readers.admin.patch(`/pipelines/${companies}/fields/${slug}`, LIST);
  const field = (slug: string) => `/pipelines/${leads}/fields/${slug}`;
  const add = () => addSettled(owner, leads, { name: 'Ada', works_at: companyId });
  const seen = async (api: Api, id: string) => Object.keys((await api.get(`/records/${id}`)).ai).sort();

  async function lists(): Promise<unknown[]> {
    const { fields } = await owner.get(`/pipelines/${leads}`);
    return fields.map(({ visible_to: list }: Body) => list);
  }

  it('hides what was made of it from who may not see it, and nothing else', async () => {
    const { id } = await add();
    expect(await seen(readers.viewer, id)).toEqual(['about', 'advice', 'greeting']);
    await limit();
    expect(await seen(readers.viewer, id)).toEqual(['greeting']);
    expect(JSON.stringify(await readers.viewer.get(`/pipelines/${leads}/records`))).not.toContain(secret);
    expect(await seen(readers.admin, id)).toEqual(['about', 'advice', 'greeting']);
    const list = ['admin', 'owner'];
    expect(await lists()).toEqual([undefined, undefined, list, list, undefined]);
    const { items } = await owner.get(`/audit-log?subject=Field&subject_id=${leads}:about`);
    expect(items[0]).toMatchObject({ action: 'update', after: { visible_to: list } });
  });

  it('is made of by nobody any more, so that the lists can be taken back', async () => {
    const { id } = await add();
    await limit();
    await generate(owner, id, 'about', true);
    await owner.settled(id);
    for (const slug of ['about', 'advice']) await owner.patch(field(slug), { visible_to: null });
    expect((await readers.viewer.get(`/records/${id}`)).data).toMatchObject({ about: 'Fine' });
    await limit('town');
    expect(await lists()).toContainEqual(['admin', 'owner']);
  });

  it('is not shown by a call in flight, which is made again with what the label is now', async () => {
    stage.simulator.script([holding('About ', `Works at ${secret}`), ...answering({ 'About ': 'Fine' })]);
    const created = await addRecord(owner, leads, { works_at: companyId });
    await stage.simulator.waitForRequests(1);
    await limit();
    stage.simulator.release();
    await owner.settled(created.id);
    expect((await readers.viewer.get(`/records/${created.id}`)).data).toMatchObject({ about: 'Fine' });
    expect(prompts(stage.simulator)).toEqual(expect.arrayContaining([`About ${secret}`, 'About Ulm']));
    expect(await lists()).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  it('takes nothing along where it is not the label', async () => {
    const { id } = await add();
    await limit('town');
    expect(await seen(readers.viewer, id)).toEqual(['about', 'advice', 'greeting']);
  });
});
