import { SecretBox } from './secret-box.js';

const [OLD, NEW] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

describe('SecretBox', () => {
  const sealed = new SecretBox(OLD).seal('tenant', 'purpose', 'a secret');

  it('opens what it sealed, for the same tenant and purpose only', () => {
    const box = new SecretBox(OLD);
    expect(box.open('tenant', 'purpose', sealed)).toBe('a secret');
    for (const [tenant, purpose] of [
      ['another', 'purpose'],
      ['tenant', 'another'],
    ] as const)
      expect(() => box.open(tenant, purpose, sealed)).toThrow(/cannot be read/);
  });

  it('opens what an older key sealed, and seals with the new one', () => {
    const box = new SecretBox(NEW, [OLD]);
    expect(box.open('tenant', 'purpose', sealed)).toBe('a secret');
    const anew = box.seal('tenant', 'purpose', 'a secret');
    expect(anew.keyId).toBe(new SecretBox(NEW).keyId);
    expect(new SecretBox(NEW).open('tenant', 'purpose', anew)).toBe('a secret');
  });

  it('names the key that is missing, and neither key nor secret', () => {
    let error: Error | undefined;
    try {
      new SecretBox(NEW).open('tenant', 'purpose', sealed);
    } catch (thrown) {
      error = thrown as Error;
    }
    expect(error).toMatchObject({ code: 'secret_unreadable' });
    expect(error?.message).toContain(sealed.keyId);
    expect(error?.message).toContain('MASTER_KEY_PREVIOUS');
  });

  it('takes a changed secret for none, and no key of another size', () => {
    const changed = Buffer.from(sealed.sealed);
    changed[changed.length - 1]! ^= 1;
    expect(() => new SecretBox(OLD).open('tenant', 'purpose', { ...sealed, sealed: changed })).toThrow();
    expect(() => new SecretBox(Buffer.alloc(16))).toThrow(RangeError);
    expect(() => new SecretBox(OLD, [Buffer.alloc(31)])).toThrow(RangeError);
  });
});
