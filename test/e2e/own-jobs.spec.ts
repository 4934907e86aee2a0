import { createMongoAbility, subject } from '@casl/ability';
import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { setStage, type Stage } from '../support/stage.js';

describe('jobs of an editor', () => {
  let stage: Stage;
  let owner: Api;
  let editor: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage();
    owner = await stage.tenant();
    editor = await owner.as('editor');
    leads = await Leads.of(owner);
    // Long stretches of others' jobs between their own, so that whoever takes out afterwards has empty pages.
    for (const [n, api] of [editor, owner, owner, owner, owner, editor, owner, owner, editor].entries()) {
      await leads.addDone(`Lead ${n}`, api);
    }
  });

  afterAll(async () => {
    editor.close();
    await stage.close();
  });

  const idsOf = async (where = 'true'): Promise<string[]> => {
    const sql = `SELECT id FROM ai_jobs WHERE tenant_id = $1 AND ${where} ORDER BY id DESC`;
    return (await stage.database.sql<{ id: string }>(sql, [owner.tenantId])).map(({ id }) => id);
  };
  const own = () => idsOf(`principal_id = '${editor.userId}'`);

  async function pages(api: Api, limit: number, filter = ''): Promise<string[][]> {
    const found: string[][] = [];
    let cursor: string | null = null;
    do {
      const page: Body = await api.get(
        `/ai-jobs?limit=${limit}${filter}${cursor ? `&cursor=${cursor}` : ''}`,
      );
      found.push(page.items.map(({ id }: Body) => id));
      cursor = page.next_cursor;
    } while (cursor);
    return found;
  }

  it('are found by the query itself: every page is full but the last', async () => {
    const [a, b, c] = await own();
    expect(await pages(editor, 1)).toEqual([[a], [b], [c]]);
    expect(await pages(editor, 2, '&status=completed')).toEqual([[a, b], [c]]);
    expect((await pages(owner, 5)).flat()).toEqual(await idsOf());
  });

  it('are those that the abilities told by /auth/me name', async () => {
    for (const api of [editor, owner]) {
      const { abilities } = await api.get('/auth/me');
      const ability = createMongoAbility(abilities);
      const { items } = await owner.get('/ai-jobs?limit=200');
      const told = items.filter((job: Body) =>
        ability.can('read', subject('Job', { principal_id: job.cause.principal_id })),
      );
      const answered: Body[] = [];
      for (const job of items) {
        const { status } = await api.call('GET', `/ai-jobs/${job.id}`);
        expect([200, 404]).toContain(status);
        if (status === 200) answered.push(job);
      }
      expect(answered).toEqual(told);
      expect(told.length).toBe(api === editor ? 3 : 9);
    }
  });

  it("somebody else's are not there, whatever is done to them, and stay as they are", async () => {
    const [foreign] = await idsOf(`principal_id = '${owner.userId}'`);
    const before = await owner.get(`/ai-jobs/${foreign}`);
    for (const [method, action] of [
      ['GET', ''],
      ['POST', '/retry'],
      ['POST', '/cancel'],
    ] as const) {
      const { status, body } = await editor.call(method, `/ai-jobs/${foreign}${action}`);
      expect([action, status, body.code]).toEqual([action, 404, 'not_found']);
    }
    expect(await owner.get(`/ai-jobs/${foreign}`)).toEqual(before);
  });

  it('a retry that would be the pending job of somebody else is refused', async () => {
    stage.simulator.script([
      { match: { prompt_includes: 'Grace' }, times: 1, action: { type: 'error', status: 400 } },
      { match: { prompt_includes: 'Grace' }, action: { type: 'hold' } },
    ]);
    stage.simulator.clearRequests();
    const { recordId, jobId } = await leads.add('Grace', editor);
    expect(await editor.job(jobId)).toMatchObject({ status: 'failed' });
    const generate = `/records/${recordId}/ai/summary/generate`;
    await owner.post(generate, { force: true });
    await stage.simulator.waitForRequests(2);
    const { job_id: pending } = await owner.post(generate, { force: true });
    const { status, body } = await editor.call('POST', `/ai-jobs/${jobId}/retry`);
    expect([status, body.code]).toEqual([409, 'job_not_retryable']);
    expect(await owner.get(`/ai-jobs/${jobId}`)).toMatchObject({ status: 'failed' });
    expect((await owner.post(`/ai-jobs/${jobId}/retry`)).id).toBe(pending);
    stage.simulator.clearScript();
    stage.simulator.release();
    await owner.settled(recordId);
  });
});
