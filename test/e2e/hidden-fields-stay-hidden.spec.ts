import { AppConnections } from '../support/app-connections.js';
import type { Api, Body } from '../support/api.js';
import { SALARY, SECRET, setPay, type Pay } from '../support/pay.js';
import { addPipeline, addSettled, ai, generate, plain } from '../support/pipelines.js';
import { answering } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const bonus = plain('bonus', { visible_to: ['editor'] });
const byHand = { auto_regenerate: false };

describe('what is made from a field that an admin may not see', () => {
  let stage: Stage;
  let pay: Pay;

  beforeAll(async () => {
    stage = await setStage();
    pay = await setPay(stage);
    stage.simulator.script(
      answering({ 'Pay:': `pay-${SECRET}`, 'Copy:': `copy-${SECRET}`, 'Hello:': 'hello-open' }),
    );
  });

  afterAll(async () => {
    pay.close();
    await stage.close();
  });

  const config = (prompt: string, more = {}) => ({
    ai_config: { model: 'gpt-4o-mini', prompt, ...byHand, ...more },
  });
  const field = (pipeline: string, slug = '') => `/pipelines/${pipeline}/fields${slug && `/${slug}`}`;
  const shown = async (api: Api, id: string) => (await api.get(`/records/${id}`)).data;

  async function expectRefused(api: Api, method: string, path: string, body?: unknown): Promise<void> {
    const answer = await api.call(method, path, body);
    expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 403, 'field_not_visible']);
  }

  /** A record with an AI value made from what only editors see. */
  async function madeFromBonus(name: string) {
    const rank = plain('rank', { visible_to: ['editor', 'viewer'] });
    const made = ai('made', { prompt: 'Pay: {bonus} {rank}', ...byHand });
    const pipeline = await addPipeline(pay.owner, [plain('name'), bonus, rank, made], name);
    const { id } = await addSettled(pay.owner, pipeline, { name: 'Ada', bonus: SALARY, rank: 'A' });
    const job = await generate(pay.owner, id, 'made', true);
    return { id, pipeline, job };
  }

  /** The same, with a prompt since that reads nothing hidden. */
  async function madeBefore(name: string) {
    const all = await madeFromBonus(name);
    await pay.owner.patch(field(all.pipeline, 'made'), config('Hello: {name}'));
    return all;
  }

  it('is shown to nobody by a list of theirs, not even one that leaves themselves out', async () => {
    const { id, pipeline } = await madeFromBonus('Lists');
    for (const visible_to of [['admin'], ['viewer'], ['viewer', 'editor', 'admin'], []])
      await expectRefused(pay.admin, 'PATCH', field(pipeline, 'made'), { visible_to });
    expect(await shown(pay.viewer, id)).not.toHaveProperty('made');
  });

  it('is not shown by a list while a value or the history is made from it, whatever the prompt says now', async () => {
    const { id, pipeline } = await madeBefore('Before');
    await expectRefused(pay.admin, 'PATCH', field(pipeline, 'made'), { visible_to: ['admin'] });
    await generate(pay.owner, id, 'made', true);
    await expectRefused(pay.admin, 'PATCH', field(pipeline, 'made'), { visible_to: ['admin'] });
    expect(await shown(pay.admin, id)).toMatchObject({ made: 'hello-open' });
  });

  it('is not read by an AI field of theirs, nor asked by a condition, while any value is made from it', async () => {
    const { pipeline } = await madeBefore('Upstream');
    const copy = { ...ai('copy', { prompt: 'Copy: {made}', ...byHand }), visible_to: ['admin'] };
    const asks = ai('asks', { prompt: 'Hello: {name}', condition: '{{contains made "47"}}', ...byHand });
    for (const added of [copy, asks]) await expectRefused(pay.admin, 'POST', field(pipeline), added);
    await pay.owner.post(field(pipeline), copy);
  });

  it('is not configured by them, so that what a person wrote in its place stays hidden', async () => {
    const { id, pipeline } = await madeFromBonus('Words');
    await pay.editor.patch(`/records/${id}`, { data: { made: `it is ${SECRET}` } });
    await expectRefused(pay.admin, 'PATCH', field(pipeline, 'made'), config('Hello: {name}'));
    const copy = ai('copy', { prompt: 'Copy: {made}', ...byHand });
    await pay.owner.post(field(pipeline), copy);
    const job = await generate(pay.owner, id, 'copy', true);
    await pay.owner.patch(field(pipeline, 'copy'), config('Hello: {name}'));
    await generate(pay.owner, id, 'copy', true);
    expect(await shown(pay.viewer, id)).toEqual({ name: 'Ada', rank: 'A', copy: 'hello-open' });
    const history = await pay.viewer.get(`/records/${id}/ai/copy/history`);
    expect(history.items.map(({ value }: Body) => value)).toEqual(['hello-open']);
    expect(JSON.stringify(await pay.admin.get(`/ai-jobs/${job.id}`))).not.toContain(SECRET);
    expect(JSON.stringify(await pay.owner.get(`/ai-jobs/${job.id}`))).toContain(SECRET);
  });

  it('goes on being hidden when the field is removed', async () => {
    const { id, pipeline } = await madeBefore('Removed');
    for (const slug of ['bonus', 'rank']) {
      await pay.owner.call('DELETE', field(pipeline, slug));
      const { fields } = await pay.owner.get(`/pipelines/${pipeline}`);
      expect(fields.find((one: Body) => one.slug === 'made').visible_to).toEqual(['editor', 'owner']);
      for (const api of [pay.viewer, pay.admin]) expect(await shown(api, id)).not.toHaveProperty('made');
      expect((await shown(pay.editor, id)).made).toContain(SECRET);
    }
    const { items } = await pay.owner.get(`/audit-log?subject=Field&subject_id=${pipeline}:made`);
    expect(items[0]).toMatchObject({ action: 'update', after: { visible_to: ['editor', 'owner'] } });
    await pay.owner.patch(field(pipeline, 'made'), { visible_to: null });
    expect((await shown(pay.viewer, id)).made).toContain(SECRET);
  });

  it('is not let into prompts by the settings, and no field is saved while they change', async () => {
    await pay.owner.patch('/ai-settings', { denied_fields: ['bonus', 'ssn'] });
    const all = { ...ai('all', { prompt: 'Copy: {*}', ...byHand }), visible_to: ['admin'] };
    const pipeline = await addPipeline(pay.owner, [plain('name'), bonus, all], 'Denied');
    await expectRefused(pay.admin, 'PATCH', '/ai-settings', { denied_fields: ['ssn'] });
    const connections = await AppConnections.open(stage.database, 1);
    const app = connections.first;
    const key = `hashtextextended('fieldsmith.ai-settings:${pay.owner.tenantId}', 0)`;
    const waits = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`;
    await app.query(`SELECT pg_advisory_lock(${key})`);
    const saving = pay.admin.post(field(pipeline), ai('more', { prompt: 'Hello: {name}', ...byHand }));
    await pay.owner.until('the field waits', async () => (await stage.database.sql(waits)).length === 1);
    const changing = pay.admin.patch('/ai-settings', { denied_fields: ['bonus', 'iban'] });
    await pay.owner.until('both wait', async () => (await stage.database.sql(waits)).length === 2);
    await app.query(`SELECT pg_advisory_unlock(${key})`);
    await Promise.all([saving, changing]);
    await connections.close();
    await pay.owner.patch('/ai-settings', { denied_fields: [] });
  });

  it('is in no result that the cache gives for other words, and equal words of other fields confirm no guess', async () => {
    const cached = { cache_duration: 3600 };
    const fields = [plain('nick'), bonus, ai('open', { prompt: 'Hello: {nick}', ...byHand, ...cached })];
    const closed = ai('closed', { prompt: 'Hello: {bonus}', ...byHand, ...cached });
    const pipeline = await addPipeline(pay.owner, [...fields, closed], 'Cached');
    const { id } = await addSettled(pay.owner, pipeline, { nick: 'Zorro', bonus: 'Zorro' });
    expect(await generate(pay.owner, id, 'open')).toMatchObject({ outcome: 'generated' });
    expect(await generate(pay.owner, id, 'closed')).toMatchObject({ outcome: 'generated' });
    await pay.admin.post(field(pipeline), ai('guess', { prompt: 'Hello: Zorro', ...byHand, ...cached }));
    expect(await generate(pay.owner, id, 'guess')).toMatchObject({ outcome: 'generated' });
    await pay.owner.patch(field(pipeline, 'closed'), config('Hello: {nick}'));
    expect(await shown(pay.viewer, id)).toMatchObject({ open: 'hello-open', guess: 'hello-open' });
    expect(await shown(pay.viewer, id)).not.toHaveProperty('closed');
  });

  it('is told of where a list made earlier shows it to more than its own', async () => {
    const all = { ...ai('all', { prompt: 'Copy: {*}', ...byHand }), visible_to: ['admin', 'editor'] };
    const pipeline = await addPipeline(pay.owner, [plain('name'), all], 'Planted');
    const added = await pay.owner.post(field(pipeline), bonus);
    expect(added.warnings).toEqual([
      expect.stringMatching(/^The list of "all" shows .* "bonus" to admin too: /),
    ]);
    const narrowed = await pay.owner.patch(field(pipeline, 'all'), { visible_to: ['editor'] });
    expect(narrowed).not.toHaveProperty('warnings');
  });
});
