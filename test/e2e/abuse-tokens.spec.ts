import { hkdfSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { request, type Answer, type Api } from '../support/api.js';
import { startProduct, TEST_MASTER_KEY, type RunningProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

const PASSWORD = 'correct horse';
const MASTER_KEY = Buffer.from(TEST_MASTER_KEY, 'base64');
const WEEK_SECONDS = 7 * 24 * 3600;

/** As the product derives it, so that what is forged is wrong in one thing only. */
const tokenKey = keyFor('fieldsmith access tokens');

describe('a token', () => {
  let stage: Stage;
  /** Another process on the same database. */
  let second: RunningProduct;
  let owner: Api;

  beforeAll(async () => {
    stage = await setStage();
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl });
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
  });

  beforeEach(async () => {
    owner = await stage.tenant();
  });

  const me = (token: string, url = stage.product.url): Promise<Answer> =>
    request(url, 'GET', '/auth/me', undefined, { authorization: `Bearer ${token}` });
  const everywhere = async (token: string): Promise<number[]> => {
    const answers = await Promise.all([me(token), me(token, second.url)]);
    return answers.map(({ status }) => status);
  };

  async function emailOf(user: Api): Promise<string> {
    return (await user.get('/auth/me')).principal.name as string;
  }

  interface Forged {
    key?: Uint8Array;
    alg?: string;
    issuer?: string;
    subject?: string;
    tenant?: string;
    version?: unknown;
    lifetime?: number;
  }

  function forge({
    key = tokenKey,
    alg = 'HS256',
    issuer = 'fieldsmith',
    ...claims
  }: Forged): Promise<string> {
    const { subject = owner.userId, tenant = owner.tenantId, version = 1, lifetime = WEEK_SECONDS } = claims;
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ tid: tenant, tv: version })
      .setProtectedHeader({ alg, typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(subject)
      .setIssuedAt(now)
      .setExpirationTime(now + lifetime)
      .sign(key);
  }

  it('that is right in everything is let in, so that the forged ones below are wrong in one thing', async () => {
    expect((await me(await forge({}))).status).toBe(200);
  });

  it.each<[string, () => Forged]>([
    ['under the master key itself', () => ({ key: MASTER_KEY })],
    ['under a key of another purpose', () => ({ key: keyFor('fieldsmith provider keys') })],
    ['under a key of nothing', () => ({ key: new Uint8Array(32) })],
    ['by another algorithm', () => ({ alg: 'HS512', key: Buffer.concat([tokenKey, tokenKey]) })],
    ['by another algorithm, under the same key', () => ({ alg: 'HS384', key: Buffer.from(tokenKey) })],
    ['by another issuer', () => ({ issuer: 'https://accounts.example.com' })],
    ['that has run out', () => ({ lifetime: -1 })],
    ['of a user who is not there', () => ({ subject: 'nobody' })],
    ['of the user in another tenant', () => ({ tenant: 'another' })],
    ['of another version', () => ({ version: 2 })],
    ['of no version', () => ({ version: null })],
    ['of a version that is a text', () => ({ version: '1' })],
  ])('is no token where it is %s', async (_, forged) => {
    const answer = await me(await forge(forged()));
    expect([answer.status, answer.body.code]).toEqual([401, 'unauthenticated']);
  });

  it('is no token without a signature, with that of another, or changed in one character', async () => {
    const [header = '', payload = '', signature = ''] = owner.token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const other = (await stage.tenant()).token.split('.');
    const unsigned = ['none', 'None', 'NONE', ''].map((alg) => `${part({ alg, typ: 'JWT' })}.${payload}.`);
    for (const token of [
      ...unsigned,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${other[1]}.${signature}`,
      `${header}.${payload}.${other[2]}`,
      `${header}.${part({ ...claims, exp: 9_999_999_999 })}.${signature}`,
      `${part({ alg: 'HS256', typ: 'JWT', kid: '../../dev/null' })}.${payload}.${signature}`,
      `${part({ alg: 'HS256', typ: 'JWT', jwk: { kty: 'oct', k: 'AAAA' } })}.${payload}.${signature}`,
      `${header}.${payload}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`,
    ])
      expect([token, (await me(token)).status]).toEqual([token, 401]);
    expect((await me(owner.token)).status).toBe(200);
  });

  it('ends in every process when its user changes the password, and the new one begins', async () => {
    const viewer = await owner.as('viewer');
    const email = await emailOf(viewer);
    const another = (await request(second.url, 'POST', '/auth/login', { email, password: PASSWORD })).body
      .token;
    expect(await everywhere(another)).toEqual([200, 200]);
    const change = { current_password: PASSWORD, new_password: 'another horse' };
    const changed = await viewer.call('PATCH', '/auth/me', change);
    expect([changed.status, changed.body]).toEqual([
      200,
      {
        token: expect.any(String),
        tenant: { id: owner.tenantId, name: 'Tenant' },
        user: { id: viewer.userId, email, role: 'viewer' },
      },
    ]);
    expect(await everywhere(viewer.token)).toEqual([401, 401]);
    expect(await everywhere(another)).toEqual([401, 401]);
    expect(await everywhere(changed.body.token)).toEqual([200, 200]);
    const login = (password: string) => request(second.url, 'POST', '/auth/login', { email, password });
    expect([(await login(PASSWORD)).status, (await login('another horse')).status]).toEqual([401, 200]);
    const { items } = await owner.get('/audit-log?subject=User&action=update');
    expect(items).toEqual([
      expect.objectContaining({
        actor_id: viewer.userId,
        subject_id: viewer.userId,
        before: { email, role: 'viewer' },
        after: { email, role: 'viewer', password_changed: true },
      }),
    ]);
  });

  it('changes no password without the one there is, which cannot be guessed either', async () => {
    const viewer = await owner.as('viewer');
    const wrong = { current_password: 'wrong horse', new_password: 'another horse' };
    const refused = await viewer.call('PATCH', '/auth/me', wrong);
    expect([refused.status, refused.body.errors]).toEqual([
      422,
      [{ path: 'current_password', message: 'This is not your password: type it again.' }],
    ]);
    const short = { current_password: PASSWORD, new_password: 'short', role: 'owner' };
    const { status, body } = await viewer.call('PATCH', '/auth/me', short);
    expect([status, body.errors.map(({ path }: { path: string }) => path).sort()]).toEqual([
      422,
      ['new_password', 'role'],
    ]);
    const guesses = await Promise.all(
      Array.from({ length: 12 }, () => viewer.call('PATCH', '/auth/me', wrong)),
    );
    expect(guesses.map((answer) => answer.status).sort()).toEqual([
      ...Array<number>(9).fill(422),
      ...Array<number>(3).fill(429),
    ]);
    const right = { current_password: PASSWORD, new_password: 'another horse' };
    expect((await viewer.call('PATCH', '/auth/me', right)).status).toBe(429);
    expect((await me(viewer.token)).status).toBe(200);
  });

  it('is worth one change of two at once', async () => {
    const viewer = await owner.as('viewer');
    const changes = await Promise.all(
      ['first horse', 'second horse'].map((next) =>
        viewer.call('PATCH', '/auth/me', { current_password: PASSWORD, new_password: next }),
      ),
    );
    const won = changes.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(await everywhere(won[0]!.body.token)).toEqual([200, 200]);
  });

  it.each<[string, (userId: string) => Promise<unknown>]>([
    ['is given another role', (id) => owner.patch(`/users/${id}`, { role: 'editor' })],
    ['is given another password', (id) => owner.patch(`/users/${id}`, { password: 'another horse' })],
    ['is removed', (id) => owner.ok('DELETE', `/users/${id}`)],
  ])('ends in every process when its user %s, and what it has open ends too', async (_, change) => {
    const viewer = await owner.as('viewer');
    const streams = [await viewer.events(), await viewer.at(second.url).events()];
    expect(await everywhere(viewer.token)).toEqual([200, 200]);
    await change(viewer.userId);
    expect(await everywhere(viewer.token)).toEqual([401, 401]);
    for (const stream of streams) await stream.ended;
    expect(await everywhere(owner.token)).toEqual([200, 200]);
  });
});

function keyFor(purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', MASTER_KEY, '', purpose, 32));
}
