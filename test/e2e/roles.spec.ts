import type { Api } from '../support/api.js';
import { addPipeline, addSettled, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const ROLES = ['viewer', 'editor', 'admin', 'owner'] as const;
type Role = (typeof ROLES)[number];

/** Ids to ask about. */
type Scene = Record<'pipeline' | 'record' | 'user', string>;

/** An endpoint, and the least role that may use it. Bodies are right, so that only the role can refuse. */
const MATRIX: [Role, string, string, unknown?][] = [
  ['viewer', 'GET', '/auth/me'],
  ['viewer', 'GET', '/pipelines'],
  ['viewer', 'GET', '/pipelines/:pipeline'],
  ['viewer', 'GET', '/pipelines/:pipeline/records'],
  ['viewer', 'GET', '/pipelines/:pipeline/ai/states'],
  ['viewer', 'GET', '/records/:record'],
  ['viewer', 'GET', '/records/:record/ai/summary/history'],
  ['editor', 'POST', '/pipelines/:pipeline/records', { data: { name: 'Grace' } }],
  ['editor', 'PATCH', '/records/:record', { data: { note: 'changed' } }],
  ['editor', 'POST', '/records/:record/ai/summary/generate', {}],
  ['editor', 'POST', '/records/:record/ai/summary/stop', {}],
  ['editor', 'POST', '/records/:record/ai/summary/feedback', { feedback: 'thumbs_up' }],
  ['editor', 'POST', '/pipelines/:pipeline/ai/summary/generate', { scope: 'failed' }],
  ['editor', 'POST', '/pipelines/:pipeline/ai/summary/generate', { scope: 'all', dry_run: true }],
  ['editor', 'GET', '/ai-jobs'],
  ['admin', 'POST', '/pipelines', { name: 'More' }],
  ['admin', 'PATCH', '/pipelines/:pipeline', { name: 'Leads' }],
  ['admin', 'PATCH', '/pipelines/:pipeline/fields/note', { name: 'Note' }],
  [
    'admin',
    'POST',
    '/ai-fields/preview',
    { pipeline_id: ':pipeline', ai_config: { prompt: 'Of {name}', model: 'gpt-4o-mini' } },
  ],
  ['admin', 'GET', '/ai-settings'],
  ['admin', 'PATCH', '/ai-settings', { default_max_tokens: 500 }],
  ['admin', 'GET', '/provider-keys'],
  ['admin', 'GET', '/budgets'],
  ['admin', 'PUT', '/budgets/field/:pipeline:summary', { limit_cents: 100 }],
  ['admin', 'POST', '/budgets/field/:pipeline:summary/retry_blocked', {}],
  ['admin', 'GET', '/audit-log'],
  ['admin', 'GET', '/audit-log?format=csv'],
  ['admin', 'GET', '/budgets/unconfirmed'],
  ['admin', 'GET', '/stopped-models'],
  ['admin', 'GET', '/ai-analytics/usage'],
  ['admin', 'GET', '/ai-analytics/costs'],
  ['admin', 'GET', '/ai-analytics/costs?format=csv'],
  ['admin', 'GET', '/ai-analytics/performance'],
  ['admin', 'GET', '/ai-jobs/worker_health'],
  ['admin', 'GET', '/ai-jobs/diagnostics'],
  ['admin', 'POST', '/ai-jobs/queue_pending'],
  ['admin', 'POST', '/ai-jobs/bulk_retry', { filter: {} }],
  ['owner', 'GET', '/users'],
  ['owner', 'PATCH', '/users/:user', { role: 'viewer' }],
];

describe('roles', () => {
  let stage: Stage;
  let owner: Api;
  let people: Record<Role, Api>;
  let scene: Scene;

  beforeAll(async () => {
    stage = await setStage();
    owner = await stage.tenant();
    const [viewer, editor, admin] = [
      await owner.as('viewer'),
      await owner.as('editor'),
      await owner.as('admin'),
    ];
    people = { viewer, editor, admin, owner };
    const fields = [plain('name'), plain('note'), ai('summary', { prompt: 'Of {name}' })];
    const pipeline = await addPipeline(owner, fields);
    const { id: record } = await addSettled(owner, pipeline, { name: 'Ada' });
    const { userId: user } = await owner.as('viewer');
    scene = { pipeline, record, user };
  });

  afterAll(() => stage.close());

  const filled = (text: string) =>
    text.replace(/:(pipeline|record|user)\b/g, (_, name: keyof Scene) => scene[name]);
  const rows = MATRIX.map(([least, method, path, body]) => ({ least, method, path, body }));

  it.each(rows)('$least and above may: $method $path', async ({ least, method, path, body }) => {
    const sent: unknown = body && JSON.parse(filled(JSON.stringify(body)));
    for (const role of ROLES) {
      const answer = await people[role].call(method, filled(path), sent);
      const isAllowed = ROLES.indexOf(role) >= ROLES.indexOf(least);
      const code = isAllowed ? undefined : 'forbidden';
      expect([role, answer.status < 300, answer.body.code]).toEqual([role, isAllowed, code]);
      if (!isAllowed)
        expect([answer.status, answer.body.detail]).toEqual([403, expect.stringContaining('needs')]);
    }
  });

  it('every role may change its own password', async () => {
    for (const role of ROLES) {
      const person = await owner.as(role);
      const change = { current_password: 'correct horse', new_password: 'another horse' };
      const { status, body } = await person.call('PATCH', '/auth/me', change);
      expect([role, status, body.user?.role]).toEqual([role, 200, role]);
    }
  });

  it('editor and above may reset and restore a value', async () => {
    const base = `/records/${scene.record}/ai/summary`;
    const { items } = await owner.get(`${base}/history`);
    const restore = { execution_id: items[0].execution_id };
    for (const role of ROLES) {
      const expected = role === 'viewer' ? 403 : 200;
      await owner.patch(`/records/${scene.record}`, { data: { summary: `Written before ${role}` } });
      expect([role, (await people[role].call('POST', `${base}/reset`)).status]).toEqual([role, expected]);
      expect([role, (await people[role].call('POST', `${base}/restore`, restore)).status]).toEqual([
        role,
        expected,
      ]);
    }
  });

  it('a 403 leaves everything as it is', async () => {
    const before = await owner.settled(scene.record);
    await people.viewer.call('PATCH', `/records/${scene.record}`, { data: { name: 'Mallory' } });
    await people.viewer.call('DELETE', `/records/${scene.record}`);
    await people.editor.call('DELETE', `/pipelines/${scene.pipeline}`);
    await people.editor.call('DELETE', `/pipelines/${scene.pipeline}/fields/note`);
    await people.viewer.call('POST', `/pipelines/${scene.pipeline}/import`, 'name\nMallory', {
      'content-type': 'text/csv',
    });
    const { items } = await owner.get(`/pipelines/${scene.pipeline}/records?filter[name]=Mallory`);
    expect(items).toEqual([]);
    expect(await owner.get(`/records/${scene.record}`)).toEqual(before);
    const me = await owner.get('/users');
    expect(
      (
        await people.admin.call('POST', '/users', {
          email: 'x@example.com',
          password: 'correct horse',
          role: 'owner',
        })
      ).status,
    ).toBe(403);
    expect(await owner.get('/users')).toEqual(me);
  });

  it('an editor sees only the jobs of their own, an admin all', async () => {
    const { pipeline } = scene;
    const mine = await people.editor.post(`/pipelines/${pipeline}/records`, { data: { name: 'Mine' } });
    await owner.settled(mine.id);
    const { items: own } = await people.editor.get('/ai-jobs?limit=200');
    const { items: all } = await people.admin.get('/ai-jobs?limit=200');
    expect(own.length).toBeGreaterThan(0);
    expect(all.length).toBeGreaterThan(own.length);
    const rows = await stage.database.sql<{ id: string }>(
      'SELECT id FROM ai_jobs WHERE tenant_id = $1 AND principal_id = $2 ORDER BY id DESC',
      [owner.tenantId, people.editor.userId],
    );
    expect(own.map(({ id }: { id: string }) => id)).toEqual(rows.map(({ id }) => id));
    const foreign = all.find(({ id }: { id: string }) => !rows.some((row) => row.id === id));
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/retry'],
      ['POST', '/cancel'],
    ] as const) {
      expect((await people.editor.call(method, `/ai-jobs/${foreign.id}${path}`)).status).toBe(404);
    }
    expect((await people.viewer.call('GET', `/ai-jobs/${own[0].id}`)).status).toBe(403);
  });
});
