import { auditedJson, isUnchanged } from './audit-entry.js';

describe('auditedJson', () => {
  it('masks texts under the name of a secret, at any depth, and nothing else', () => {
    const state = {
      api_key: 'sk-1',
      users: [{ password: 'a', password_hash: 'b', email: 'ann@example.com' }],
      max_tokens: 5,
      output_schema: { properties: { token: { type: 'string' } } },
    };
    expect(JSON.parse(auditedJson(state)!)).toEqual({
      api_key: '***',
      users: [{ password: '***', password_hash: '***', email: 'ann@example.com' }],
      max_tokens: 5,
      output_schema: { properties: { token: { type: 'string' } } },
    });
  });

  it('can be stored whatever a text holds', () => {
    expect(auditedJson({ name: 'a\0b' })).toBe('{"name":"ab"}');
    expect(auditedJson(undefined)).toBeNull();
  });
});

describe('isUnchanged', () => {
  it('looks at members, not at their order, and sees what is masked', () => {
    expect(isUnchanged({ before: { a: 1, b: [2] }, after: { b: [2], a: 1 } })).toBe(true);
    expect(isUnchanged({ before: { a: [1, 2] }, after: { a: [2, 1] } })).toBe(false);
    expect(isUnchanged({ before: { api_key: 'x' }, after: { api_key: 'y' } })).toBe(false);
    expect(isUnchanged({ after: {} })).toBe(false);
    expect(isUnchanged({})).toBe(true);
  });
});
