import 'reflect-metadata';
import { SignJWT } from 'jose';
import { AccessTokens } from './access-tokens.js';

const DAY = 24 * 3600 * 1000;
const claims = { tenantId: 'tenant', userId: 'user', tokenVersion: 3 };

function tokens(at = 0, key = 1, ...previous: number[]): AccessTokens {
  const clock = { now: () => new Date(Date.UTC(2026, 0, 1) + at) };
  const previousMasterKeys = previous.map((old) => Buffer.alloc(32, old));
  return new AccessTokens({ masterKey: Buffer.alloc(32, key), previousMasterKeys }, clock);
}

describe('AccessTokens', () => {
  it('reads what it signed, for seven days', async () => {
    const token = await tokens().sign(claims);
    expect(await tokens().read(token)).toEqual(claims);
    expect(await tokens(7 * DAY - 1000).read(token)).toEqual(claims);
    expect(await tokens(7 * DAY + 1000).read(token)).toBeUndefined();
  });

  it('reads nothing signed under another key', async () => {
    expect(await tokens(0, 2).read(await tokens().sign(claims))).toBeUndefined();
  });

  it('reads what an older key signed as long as that is known, and signs with the new one', async () => {
    expect(await tokens(0, 2, 3, 1).read(await tokens().sign(claims))).toEqual(claims);
    expect(await tokens(0, 1).read(await tokens(0, 2, 1).sign(claims))).toBeUndefined();
    expect(await tokens(7 * DAY + 1000, 2, 1).read(await tokens().sign(claims))).toBeUndefined();
  });

  it('reads nothing that was changed', async () => {
    const [header, , signature] = (await tokens().sign(claims)).split('.');
    const forged = Buffer.from(JSON.stringify({ sub: 'root', tid: 'tenant', tv: 3, iss: 'fieldsmith' }));
    expect(await tokens().read([header, forged.toString('base64url'), signature].join('.'))).toBeUndefined();
  });

  it('accepts neither another algorithm nor none', async () => {
    const body = Buffer.from(JSON.stringify({ sub: 'u', tid: 't', tv: 1, iss: 'fieldsmith' })).toString(
      'base64url',
    );
    const header = Buffer.from('{"alg":"none"}').toString('base64url');
    expect(await tokens().read(`${header}.${body}.`)).toBeUndefined();
    const hs512 = new SignJWT({ tid: 't', tv: 1 }).setProtectedHeader({ alg: 'HS512' }).setSubject('u');
    expect(await tokens().read(await hs512.sign(Buffer.alloc(64, 1)))).toBeUndefined();
  });

  it.each([[''], ['x'], ['a.b.c'], ['\0'], ['.'.repeat(1000)]])('reads nothing from %p', async (token) => {
    expect(await tokens().read(token)).toBeUndefined();
  });
});
