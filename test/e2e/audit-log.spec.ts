import type { Api, Body } from '../support/api.js';
import { AppConnections, asTenant } from '../support/app-connections.js';
import { tablesHolding } from '../support/find-text.js';
import { addPipeline, ai, configure, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const KEY = 'sk-tenant-very-secret-4417';
const PASSWORD = 'correct horse';

describe('the audit log', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage({ PROVIDER_URL_ALLOWLIST: 'https://llm.example.com' });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    api = await stage.tenant();
  });

  /** Entries but for the one of the first owner, oldest first. */
  async function entries(query = ''): Promise<Body[]> {
    const { items } = await api.get(`/audit-log?limit=200${query}`);
    return items.filter(({ subject_id: id }: Body) => id !== api.userId).reverse();
  }

  /** What was done to what, from what to what. */
  const told = async (query = '') =>
    (await entries(query)).map(({ action, subject, subject_id: id, before, after }) => [
      action,
      subject,
      id,
      before,
      after,
    ]);

  it('begins with the owner who signed up', async () => {
    const { items } = await api.get('/audit-log');
    const { principal } = await api.get('/auth/me');
    expect(items).toEqual([
      {
        id: expect.any(String),
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        actor_id: api.userId,
        actor_name: principal.name,
        action: 'create',
        subject: 'User',
        subject_id: api.userId,
        before: null,
        after: { email: principal.name, role: 'owner' },
      },
    ]);
  });

  it('has settings and the budget among them, and nothing of a change that changes nothing', async () => {
    const before = await api.get('/ai-settings');
    const changes = { default_max_tokens: 321, denied_fields: ['ssn'], monthly_budget_cents: 500 };
    const after = await api.patch('/ai-settings', changes);
    await api.patch('/ai-settings', changes);
    await api.ok('PUT', '/budgets/tenant/self', { limit_cents: 500 });
    expect(await told()).toEqual([
      ['create', 'Budget', 'tenant/self', null, { limit_cents: 500 }],
      ['update', 'Settings', 'self', before, after],
    ]);
    expect(after).toEqual({ ...before, ...changes });
    await api.patch('/ai-settings', { monthly_budget_cents: null });
    expect(await told('&subject=Budget&action=delete')).toEqual([
      ['delete', 'Budget', 'tenant/self', { limit_cents: 500 }, null],
    ]);
  });

  it('has budgets, wherever they are set', async () => {
    const id = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Of {name}' })]);
    const field = `field/${id}:summary`;
    await api.ok('PUT', `/budgets/${field}`, { limit_cents: 10 });
    await configure(api, id, 'summary', { prompt: 'Of {name}', budget_limit_cents: 20 });
    await configure(api, id, 'summary', { prompt: 'Of {name}' });
    await api.ok('PUT', `/budgets/user/${api.userId}`, { limit_cents: 1.5 });
    await api.ok('DELETE', `/budgets/user/${api.userId}`);
    expect((await api.call('DELETE', `/budgets/user/${api.userId}`)).status).toBe(404);
    expect(await told('&subject=Budget')).toEqual([
      ['create', 'Budget', field, null, { limit_cents: 10 }],
      ['update', 'Budget', field, { limit_cents: 10 }, { limit_cents: 20 }],
      ['delete', 'Budget', field, { limit_cents: 20 }, null],
      ['create', 'Budget', `user/${api.userId}`, null, { limit_cents: 1.5 }],
      ['delete', 'Budget', `user/${api.userId}`, { limit_cents: 1.5 }, null],
    ]);
  });

  it('has provider keys without the keys, and tells of another key that ends alike', async () => {
    const key = { provider: 'openai', last_four: '4417', base_url: null, max_concurrency: null };
    const limited = { ...key, base_url: 'https://llm.example.com/v1', max_concurrency: 3 };
    await api.ok('PUT', '/provider-keys/openai', { api_key: KEY });
    await api.ok('PUT', '/provider-keys/openai', { api_key: KEY });
    await api.ok('PUT', '/provider-keys/openai', { api_key: `another-${KEY}` });
    const { base_url, max_concurrency } = limited;
    await api.ok('PUT', '/provider-keys/openai', { api_key: `another-${KEY}`, base_url, max_concurrency });
    await api.ok('DELETE', '/provider-keys/openai');
    expect((await api.call('DELETE', '/provider-keys/openai')).status).toBe(404);
    expect(await told()).toEqual([
      ['create', 'ProviderKey', 'openai', null, key],
      ['update', 'ProviderKey', 'openai', key, { ...key, key_replaced: true }],
      ['update', 'ProviderKey', 'openai', key, limited],
      ['delete', 'ProviderKey', 'openai', limited, null],
    ]);
    expect(await tablesHolding(stage.database, KEY)).toEqual([]);
    expect((await api.call('GET', '/audit-log?format=csv')).body).not.toContain(KEY);
    expect(stage.product.output()).not.toContain(KEY);
  });

  it('has model prices', async () => {
    const price = { provider: 'openai', model: 'own-1', context_window: 1000, input: 5, output: 7 };
    const day = { effective_from: '2026-01-01' };
    await api.ok('PUT', '/model-prices', { ...price, ...day });
    await api.ok('PUT', '/model-prices', { ...price, ...day });
    await api.ok('PUT', '/model-prices', { ...price, ...day, input: 6 });
    await api.ok('DELETE', '/model-prices?provider=openai&model=own-1&effective_from=2026-01-01');
    const id = 'openai/own-1@2026-01-01';
    const cheap = expect.objectContaining({ model: 'own-1', input: 5, output: 7 });
    const dear = expect.objectContaining({ model: 'own-1', input: 6, output: 7 });
    expect(await told()).toEqual([
      ['create', 'ModelPrice', id, null, cheap],
      ['update', 'ModelPrice', id, cheap, dear],
      ['delete', 'ModelPrice', id, dear, null],
    ]);
  });

  it('has users and their roles, of a password only that it changed', async () => {
    const email = `ann.${api.tenantId}@example.com`;
    const { id } = await api.post('/users', { email, password: PASSWORD, role: 'viewer' });
    await api.patch(`/users/${id}`, { role: 'admin' });
    await api.patch(`/users/${id}`, { role: 'admin' });
    await api.patch(`/users/${id}`, { password: 'battery staple' });
    await api.ok('DELETE', `/users/${id}`);
    const refused = await api.call('PATCH', `/users/${api.userId}`, { role: 'viewer' });
    expect(refused.status).toBe(409);
    expect(await told()).toEqual([
      ['create', 'User', id, null, { email, role: 'viewer' }],
      ['update', 'User', id, { email, role: 'viewer' }, { email, role: 'admin' }],
      ['update', 'User', id, { email, role: 'admin' }, { email, role: 'admin', password_changed: true }],
      ['delete', 'User', id, { email, role: 'admin' }, null],
    ]);
    const log = JSON.stringify(await api.get('/audit-log'));
    for (const secret of [PASSWORD, 'battery staple', 'scrypt', '$']) expect(log).not.toContain(secret);
  });

  it('has pipelines, fields that become sensitive, and configurations of AI fields', async () => {
    const summary = { prompt: 'Of {name}', model: 'gpt-4o-mini' };
    const id = await addPipeline(api, [plain('name'), plain('note'), ai('summary', summary)]);
    await configure(api, id, 'summary', { prompt: 'About {name}' });
    await configure(api, id, 'summary', { prompt: 'About {name}' });
    await api.patch(`/pipelines/${id}/fields/note`, { sensitive: true });
    await api.patch(`/pipelines/${id}/fields/note`, { sensitive: true });
    await api.patch(`/pipelines/${id}`, { name: 'Contacts' });
    await api.ok('DELETE', `/pipelines/${id}/fields/summary`);
    const note = {
      name: 'Note',
      slug: 'note',
      field_type: 'text',
      required: false,
      options: {},
      sensitive: false,
    };
    const shown = expect.objectContaining({ slug: 'summary', field_type: 'ai_generated' });
    const about = { ...summary, prompt: 'About {name}' };
    expect(await told()).toEqual([
      [
        'create',
        'Pipeline',
        id,
        null,
        { name: 'Leads', slug: 'leads', fields: [expect.objectContaining({ slug: 'name' }), note, shown] },
      ],
      ['create', 'AiField', `${id}:summary`, null, summary],
      ['update', 'AiField', `${id}:summary`, summary, about],
      ['update', 'Field', `${id}:note`, note, { ...note, sensitive: true }],
      ['update', 'Pipeline', id, { name: 'Leads', slug: 'leads' }, { name: 'Contacts', slug: 'leads' }],
      ['delete', 'AiField', `${id}:summary`, about, null],
      ['delete', 'Field', `${id}:summary`, shown, null],
    ]);
    await api.post(`/pipelines/${id}/fields`, ai('topic', { prompt: 'Topic of {name}' }));
    await api.ok('DELETE', `/pipelines/${id}`);
    const [gone] = await told('&action=delete&subject=Pipeline');
    expect(gone?.[3]).toMatchObject({
      name: 'Contacts',
      fields: [
        { slug: 'name' },
        { slug: 'note' },
        { slug: 'topic', ai_config: { prompt: 'Topic of {name}' } },
      ],
    });
  });

  it('has the end of every AI field and limit of a pipeline that is deleted', async () => {
    const [made, plainer] = [{ prompt: 'Of {name}' }, { prompt: 'About {name}' }];
    const limited = { ...made, budget_limit_cents: 5 };
    const id = await addPipeline(api, [plain('name'), ai('made', limited), ai('plainer', plainer)]);
    await api.ok('DELETE', `/pipelines/${id}`);
    const of = (subject: string, subjectId: string) =>
      told(`&subject=${subject}&subject_id=${encodeURIComponent(subjectId)}`);
    expect(await of('Budget', `field/${id}:made`)).toEqual([
      ['create', 'Budget', `field/${id}:made`, null, { limit_cents: 5 }],
      ['delete', 'Budget', `field/${id}:made`, { limit_cents: 5 }, null],
    ]);
    const shown = (config: object) => expect.objectContaining(config);
    expect(await of('AiField', `${id}:made`)).toEqual([
      ['create', 'AiField', `${id}:made`, null, shown(limited)],
      ['delete', 'AiField', `${id}:made`, shown(limited), null],
    ]);
    expect(await of('AiField', `${id}:plainer`)).toEqual([
      ['create', 'AiField', `${id}:plainer`, null, shown(plainer)],
      ['delete', 'AiField', `${id}:plainer`, shown(plainer), null],
    ]);
    expect(await of('Budget', `field/${id}:plainer`)).toEqual([]);
    const { items } = await api.get('/budgets');
    expect(items.filter(({ scope }: Body) => scope === 'field')).toEqual([]);
  });

  it('has nothing of what was refused, and each of two changes at once follows on the other', async () => {
    await api.call('PATCH', '/ai-settings', { default_max_tokens: 0 });
    await api.call('PUT', '/provider-keys/openai', { api_key: KEY, base_url: 'https://evil.example.org' });
    await api.call('POST', '/pipelines', {
      name: 'Bad',
      fields: [ai('summary', { prompt: 'Of {nothing}' })],
    });
    expect(await told()).toEqual([]);
    const limits = [10, 20, 30, 40];
    await Promise.all(limits.map((limit_cents) => api.ok('PUT', '/budgets/tenant/self', { limit_cents })));
    const states = await entries();
    expect(states).toHaveLength(4);
    states.forEach(({ before }, n) => expect(before).toEqual(n === 0 ? null : states[n - 1].after));
  });

  it('is for admins, shows another tenant nothing, and finds who, what and when', async () => {
    const [viewer, editor, admin] = [await api.as('viewer'), await api.as('editor'), await api.as('admin')];
    for (const { status } of [await viewer.call('GET', '/audit-log'), await editor.call('GET', '/audit-log')])
      expect(status).toBe(403);
    await admin.patch('/ai-settings', { enable_tools: true });
    const mine = await admin.get(`/audit-log?actor=${admin.userId}`);
    expect(mine.items).toMatchObject([{ actor_id: admin.userId, subject: 'Settings' }]);
    const [{ actor_name: name, at }] = mine.items;
    expect((await admin.get(`/audit-log?actor=${encodeURIComponent(name)}`)).items).toEqual(mine.items);
    const rest = (await admin.get(`/audit-log?to=${at}`)).items;
    expect((await admin.get(`/audit-log?from=${at}`)).items).toEqual(mine.items);
    expect(rest.map(({ subject }: Body) => subject)).toEqual(['User', 'User', 'User', 'User']);
    expect((await admin.get(`/audit-log?subject=User&action=delete`)).items).toEqual([]);
    for (const query of ['from=yesterday', 'cursor=x', 'limit=0', 'format=xml', 'nobody=1'])
      expect([query, (await admin.call('GET', `/audit-log?${query}`)).status]).toEqual([query, 422]);

    const other = await stage.tenant();
    expect((await other.get('/audit-log')).items).toHaveLength(1);
    const csv = (await other.call('GET', '/audit-log?format=csv')).body as string;
    expect(csv).not.toContain(api.userId);
    const { items } = await api.get('/audit-log?limit=1');
    const beyond = await other.get(`/audit-log?cursor=${items[0].id}`);
    expect(JSON.stringify(beyond)).not.toContain(api.userId);
  });

  it('has pages that stay as they are while it grows', async () => {
    for (const default_max_tokens of [1, 2, 3, 4]) await api.patch('/ai-settings', { default_max_tokens });
    const first = await api.get('/audit-log?limit=2');
    await api.patch('/ai-settings', { default_max_tokens: 5 });
    const second = await api.get(`/audit-log?limit=2&cursor=${first.next_cursor}`);
    const third = await api.get(`/audit-log?limit=2&cursor=${second.next_cursor}`);
    const values = [first, second, third].map(({ items }) =>
      items.map(({ after }: Body) => after.default_max_tokens),
    );
    expect(values).toEqual([[4, 3], [2, 1], [undefined]]);
    expect(third.next_cursor).toBeNull();
  });

  it('can only grow: the application may neither change nor remove an entry', async () => {
    const connections = await AppConnections.open(stage.database, 1);
    const client = connections.first;
    const codeOf = (sql: string) =>
      asTenant(client, api.tenantId, () => client.query(sql)).then(
        () => undefined,
        ({ code }: { code?: string }) => code,
      );
    try {
      const [before] = await api.get('/audit-log').then(({ items }) => items);
      for (const sql of [
        `UPDATE ai_audit_log SET actor_name = 'nobody'`,
        'DELETE FROM ai_audit_log',
        'TRUNCATE ai_audit_log',
        'ALTER TABLE ai_audit_log DISABLE ROW LEVEL SECURITY',
        'DROP TABLE ai_audit_log',
      ])
        expect([sql, await codeOf(sql)]).toEqual([sql, '42501']);
      const forged = `INSERT INTO ai_audit_log (tenant_id, id, at, actor_id, actor_name, action, subject, subject_id)
        VALUES ('another', gen_random_uuid(), now(), 'x', 'x', 'create', 'User', 'x')`;
      expect(await codeOf(forged)).toBe('42501');
      expect(await codeOf('SELECT FROM ai_audit_log')).toBeUndefined();
      expect((await api.get('/audit-log')).items).toEqual([before]);
    } finally {
      await connections.close();
    }
  });

  it('is one with its change: where an entry cannot be written the change is not made', async () => {
    const { sql } = stage.database;
    await sql('REVOKE INSERT ON ai_audit_log FROM fieldsmith_app');
    const answers = [
      await api.call('PATCH', '/ai-settings', { default_max_tokens: 77 }),
      await api.call('PUT', '/provider-keys/openai', { api_key: KEY }),
      await api.call('POST', '/pipelines', { name: 'Unseen' }),
    ];
    await sql('GRANT INSERT ON ai_audit_log TO fieldsmith_app');
    expect(answers.map(({ status }) => status)).toEqual([500, 500, 500]);
    expect((await api.get('/ai-settings')).default_max_tokens).not.toBe(77);
    expect((await api.get('/provider-keys')).items).toEqual([]);
    expect((await api.get('/pipelines')).items).toEqual([]);
  });

  it('goes out as CSV whole, with nothing in it that a spreadsheet would run', async () => {
    const formula = '=HYPERLINK("http://evil.example","click")';
    await stage.database.sql(
      `INSERT INTO ai_audit_log (tenant_id, id, at, actor_id, actor_name, action, subject, subject_id, after)
       SELECT $1, ('019a9e9c-3000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, now(), 'ann', $2, 'update', '@SUM(A1)', '+1', '{"a":1}'
         FROM generate_series(1, 2500) n`,
      [api.tenantId, formula],
    );
    const answer = await api.call('GET', '/audit-log?format=csv&limit=1');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/csv; charset=utf-8/);
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="audit-log.csv"');
    const lines = (answer.body as string).split('\r\n');
    expect(lines[0]).toBe('id,at,actor_id,actor_name,action,subject,subject_id,before,after');
    expect(lines).toHaveLength(1 + 1 + 2500 + 1);
    expect(lines[1]).toContain(api.userId);
    expect(lines[2]).toMatch(
      /^019a9e9c-3000-7000-8000-0000000009c4,[^,]+,ann,"'=HYPERLINK\(""http:\/\/evil\.example"",""click""\)",update,'@SUM\(A1\),'\+1,,"\{""a"":1\}"$/,
    );
    expect(new Set(lines).size).toBe(lines.length);
    const few = await api.call('GET', `/audit-log?format=csv&actor=${api.userId}`);
    expect((few.body as string).trim().split('\r\n')).toHaveLength(2);
  });
});
