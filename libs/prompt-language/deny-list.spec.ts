import { becomesDenied, DEFAULT_DENIED_FIELDS, isDenied } from './deny-list.js';

describe('isDenied', () => {
  it.each([
    'ssn',
    'SSN',
    'customer_ssn',
    'api_key_old',
    'API_KEY',
    'apiKey',
    'old_credit_card_number',
    'pin',
    'user_iban',
  ])('covers %s by default', (slug) => expect(isDenied(slug, DEFAULT_DENIED_FIELDS)).toBe(true));

  it.each(['pinned', 'tokenizer', 'name', 'secretary', 'passwordless', 'api', 'key', 'assn'])(
    'leaves %s alone',
    (slug) => expect(isDenied(slug, DEFAULT_DENIED_FIELDS)).toBe(false),
  );

  it('reads an entry in any writing and ignores empty ones', () => {
    expect(isDenied('net_salary', ['Net Salary'])).toBe(true);
    expect(isDenied('gehalt_größe', ['GRÖSSE', 'Größe'])).toBe(true);
    expect(isDenied('name', ['', '__', ' '])).toBe(false);
  });
});

describe('becomesDenied', () => {
  it.each([
    ['covered from now on', ['ssn'], ['ssn', 'Salary'], true],
    ['covered before, by another entry', ['net'], ['net', 'salary'], false],
    ['not covered any more', ['salary'], [], false],
  ])('tells of a field that is %s', (_, before, after, told) =>
    expect(becomesDenied('net_salary', before, after)).toBe(told),
  );
});
