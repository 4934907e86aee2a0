import { hashOfNobody, hashPassword, verifyPassword } from './password-hash.js';

describe('password hashes', () => {
  it('fit their password and no other', async () => {
    const hash = await hashPassword('correct horse');
    expect(await verifyPassword('correct horse', hash)).toBe(true);
    expect(await verifyPassword('correct horsf', hash)).toBe(false);
    expect(await verifyPassword('', hash)).toBe(false);
  });

  it('are salted, and say how they were made', async () => {
    const [one, two] = await Promise.all([hashPassword('same'), hashPassword('same')]);
    expect(one).not.toBe(two);
    expect(one).toMatch(/^scrypt\$32768\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
  });

  it('are checked with the parameters they were made with', async () => {
    // scrypt of "password" with the salt "NaCl", N = 1024, r = 8, p = 16 (RFC 7914, first 32 bytes)
    const key = Buffer.from('fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162', 'hex');
    const hash = `scrypt$1024$8$16$${Buffer.from('NaCl').toString('base64url')}$${key.toString('base64url')}`;
    expect(await verifyPassword('password', hash)).toBe(true);
    expect(await verifyPassword('Password', hash)).toBe(false);
  });

  it('do not depend on how a letter was typed', async () => {
    const hash = await hashPassword('caf\u00e9-secret');
    expect(await verifyPassword('cafe\u0301-secret', hash)).toBe(true);
  });

  it('of nobody fit nothing, and cost the same', async () => {
    const hash = await hashOfNobody();
    expect(await verifyPassword('', hash)).toBe(false);
    expect(hash.split('$').slice(0, 4)).toEqual((await hashPassword('x')).split('$').slice(0, 4));
  });

  it('that cannot be read are an error, not a wrong password', async () => {
    await expect(verifyPassword('x', 'plain')).rejects.toThrow(/cannot be read/);
  });
});
