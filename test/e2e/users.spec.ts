import type { Api } from '../support/api.js';
import { setStage, type Stage } from '../support/stage.js';

const PASSWORD = 'correct horse';

describe('the users of a tenant', () => {
  let stage: Stage;
  let owner: Api;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    owner = await stage.tenant();
  });

  const emails = async () => (await owner.get('/users')).items.map(({ email }: { email: string }) => email);

  it('are added, listed page by page, changed and removed', async () => {
    const added: string[] = [];
    for (const role of ['admin', 'editor', 'viewer']) {
      const email = `${role}.${owner.tenantId}@example.com`;
      const user = await owner.post('/users', { email, password: PASSWORD, role });
      expect(user).toEqual({ id: expect.any(String), email, role, created_at: expect.any(String) });
      added.push(user.id);
    }
    const first = await owner.get('/users?limit=2');
    const second = await owner.get(`/users?limit=2&cursor=${first.next_cursor}`);
    expect(second.next_cursor).toBeNull();
    const ids = [...first.items, ...second.items].map(({ id }: { id: string }) => id);
    expect(ids).toEqual([owner.userId, ...added]);

    const changed = await owner.patch(`/users/${added[2]}`, { role: 'editor' });
    expect(changed.role).toBe('editor');
    await owner.ok('DELETE', `/users/${added[2]}`);
    expect((await owner.call('DELETE', `/users/${added[2]}`)).status).toBe(404);
    expect((await owner.get('/users')).items).toHaveLength(3);
  });

  it('always have an owner, also when two owners demote each other at once', async () => {
    for (const attempt of [
      owner.call('DELETE', `/users/${owner.userId}`),
      owner.call('PATCH', `/users/${owner.userId}`, { role: 'admin' }),
    ]) {
      const { status, body } = await attempt;
      expect([status, body.code]).toEqual([409, 'last_owner']);
      expect(body.detail).toBe('A tenant needs an owner: make another user owner first.');
    }
    // Nothing was written: the token of before still counts.
    expect((await owner.get('/auth/me')).role).toBe('owner');

    const second = await owner.as('owner');
    const answers = await Promise.all([
      owner.call('PATCH', `/users/${second.userId}`, { role: 'viewer' }),
      second.call('PATCH', `/users/${owner.userId}`, { role: 'viewer' }),
    ]);
    const rows = await stage.database.sql<{ role: string }>(
      'SELECT role FROM users WHERE tenant_id = $1 ORDER BY role',
      [owner.tenantId],
    );
    expect(rows.map(({ role }) => role)).toEqual(['owner', 'viewer']);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('cannot be given what a request must not set', async () => {
    const email = `mallory.${owner.tenantId}@example.com`;
    const refused = await owner.call('POST', '/users', {
      email,
      password: PASSWORD,
      role: 'viewer',
      tenant_id: 'another',
      token_version: 99,
      id: 'chosen',
    });
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toEqual(
      ['tenant_id', 'token_version', 'id'].map((path) => ({
        path,
        message: 'There is no such member: check its spelling or leave it out.',
      })),
    );
    expect(await emails()).not.toContain(email);
    const role = await owner.call('POST', '/users', { email, password: PASSWORD, role: 'root' });
    expect([role.status, role.body.errors[0].path]).toEqual([422, 'role']);
    const patch = await owner.call('PATCH', `/users/${owner.userId}`, { tenant_id: 'another' });
    expect([patch.status, patch.body.errors[0].path]).toEqual([422, 'tenant_id']);
  });

  it('have addresses that nobody else has', async () => {
    const other = await stage.tenant();
    const email = `shared.${owner.tenantId}@example.com`;
    await other.post('/users', { email, password: PASSWORD, role: 'viewer' });
    const taken = await owner.call('POST', '/users', { email, password: PASSWORD, role: 'viewer' });
    expect([taken.status, taken.body.code]).toEqual([409, 'email_taken']);
    const moved = await owner.call('PATCH', `/users/${owner.userId}`, { email });
    expect([moved.status, moved.body.code]).toEqual([409, 'email_taken']);
    expect(await emails()).toHaveLength(1);
  });
});
