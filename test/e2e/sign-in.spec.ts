import { Api, request } from '../support/api.js';
import { setStage, type Stage } from '../support/stage.js';

const PASSWORD = 'correct horse';

describe('signing in', () => {
  let stage: Stage;
  let serial = 0;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());

  const call = (method: string, path: string, body?: unknown, token?: string) =>
    request(stage.product.url, method, path, body, token ? { authorization: `Bearer ${token}` } : {});

  function newEmail(): string {
    serial += 1;
    return `person-${serial}@example.com`;
  }

  it('registers a tenant with its owner, once, and signs in whatever the case of the address', async () => {
    const email = newEmail();
    const body = { tenant_name: 'Ada & Co', email: `  ${email.toUpperCase()} `, password: PASSWORD };
    const registered = await call('POST', '/auth/register', body);
    expect(registered.status).toBe(201);
    expect(registered.body).toEqual({
      token: expect.any(String),
      tenant: { id: expect.any(String), name: 'Ada & Co' },
      user: { id: expect.any(String), email, role: 'owner' },
    });
    const again = await call('POST', '/auth/register', body);
    expect([again.status, again.body.code, again.body.errors[0].path]).toEqual([409, 'email_taken', 'email']);

    const login = await call('POST', '/auth/login', { email, password: PASSWORD });
    expect(login.status).toBe(200);
    expect(login.body).toMatchObject({ tenant: registered.body.tenant, user: registered.body.user });
    const me = await call('GET', '/auth/me', undefined, login.body.token);
    expect(me.body).toMatchObject({
      principal: { id: registered.body.user.id, tenant_id: registered.body.tenant.id, name: email },
      tenant: registered.body.tenant,
      role: 'owner',
    });
    expect(me.body.abilities).toContainEqual({ action: 'manage', subject: 'User' });
    const [user] = await stage.database.sql<{ password_hash: string }>(
      'SELECT password_hash FROM users WHERE email = $1',
      [email],
    );
    expect(user?.password_hash).toMatch(/^scrypt\$/);
  });

  it('says the same of a wrong password and of nobody', async () => {
    const email = newEmail();
    await call('POST', '/auth/register', { tenant_name: 'T', email, password: PASSWORD });
    const wrong = await call('POST', '/auth/login', { email, password: 'wrong horse' });
    const nobody = await call('POST', '/auth/login', { email: newEmail(), password: PASSWORD });
    expect(wrong.status).toBe(401);
    expect(wrong.body).toMatchObject({ code: 'invalid_credentials', detail: 'E-mail or password is wrong.' });
    expect(nobody.body).toEqual(wrong.body);
  });

  it('throttles failures for one address, the right password too, and others not', async () => {
    const email = newEmail();
    await call('POST', '/auth/register', { tenant_name: 'T', email, password: PASSWORD });
    const attempts = Array.from({ length: 10 }, () =>
      call('POST', '/auth/login', { email, password: 'wrong horse' }),
    );
    expect((await Promise.all(attempts)).map(({ status }) => status)).toEqual(Array(10).fill(401));
    const throttled = await call('POST', '/auth/login', { email, password: PASSWORD });
    expect(throttled.status).toBe(429);
    expect(throttled.body).toMatchObject({ code: 'too_many_attempts', status: 429 });
    const seconds = Number(throttled.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(900);
    expect(throttled.body.detail).toContain(`${seconds} seconds`);

    const other = await Api.register(stage.product.url);
    expect((await other.get('/auth/me')).role).toBe('owner');
  });

  it.each([
    ['no token', undefined],
    ['garbage', 'garbage'],
    ['a token without a signature', `${unsigned({ tid: 'x', tv: 1, sub: 'x' })}`],
  ])('is needed: %s is 401', async (_, token) => {
    const answer = await call('GET', '/pipelines', undefined, token);
    expect([answer.status, answer.body.code]).toEqual([401, 'unauthenticated']);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  it('refuses a token that was changed, and one from before a change of password or role', async () => {
    const owner = await stage.tenant();
    const [header, , signature] = owner.token.split('.');
    const forged = `${header}.${Buffer.from(JSON.stringify({ sub: owner.userId, tid: 'x', tv: 1 })).toString('base64url')}.${signature}`;
    expect((await call('GET', '/auth/me', undefined, forged)).status).toBe(401);

    const editor = await owner.as('editor');
    await owner.patch(`/users/${editor.userId}`, { role: 'viewer' });
    expect((await editor.call('GET', '/auth/me')).status).toBe(401);

    const viewer = await owner.as('viewer');
    await owner.patch(`/users/${viewer.userId}`, { password: 'another horse' });
    expect((await viewer.call('GET', '/auth/me')).status).toBe(401);
    const { items } = await owner.get('/users');
    const { email } = items.find(({ id }: { id: string }) => id === viewer.userId);
    expect((await call('POST', '/auth/login', { email, password: PASSWORD })).status).toBe(401);
    const login = await call('POST', '/auth/login', { email, password: 'another horse' });
    expect((await call('GET', '/auth/me', undefined, login.body.token)).body.role).toBe('viewer');

    await owner.call('DELETE', `/users/${viewer.userId}`);
    expect((await call('GET', '/auth/me', undefined, login.body.token)).status).toBe(401);
  });

  it('refuses what it does not know and what is wrong, all at once', async () => {
    const answer = await call('POST', '/auth/register', {
      tenant_name: ' ',
      email: 'nobody',
      password: 'short',
      role: 'owner',
      tenant_id: 'mine',
    });
    expect([answer.status, answer.body.code]).toEqual([422, 'invalid_input']);
    expect(answer.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'email',
      'password',
      'role',
      'tenant_id',
      'tenant_name',
    ]);
    const login = await call('POST', '/auth/login', { email: { $ne: '' }, password: ['x'] });
    expect(login.status).toBe(422);
  });
});

function unsigned(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ iss: 'fieldsmith', ...claims })}.`;
}
