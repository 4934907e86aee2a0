import fc from 'fast-check';
import { isEmail, normalEmail } from './email.js';

describe('isEmail', () => {
  it.each([
    'a@b.de',
    'first.last+tag@sub.example.co.uk',
    "o'hara@example.com",
    'jörg@müller.de',
    `${'a'.repeat(64)}@example.com`,
  ])('accepts %s', (text) => expect(isEmail(text)).toBe(true));

  it.each([
    '',
    '@',
    'a@b',
    'a b@c.de',
    'a@b@c.de',
    '.a@b.de',
    'a.@b.de',
    'a..b@c.de',
    'a@-b.de',
    'a@b-.de',
    'a@b..de',
    'a@b.de.',
    'a\0@b.de',
    '"a"@b.de',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b.'.repeat(130)}de`,
  ])('refuses %p', (text) => expect(isEmail(text)).toBe(false));

  it('accepts an address however its letters are cased', () => {
    fc.assert(fc.property(fc.emailAddress(), (text) => isEmail(text) === isEmail(text.toUpperCase())));
    expect(normalEmail(' Ann@Example.COM ')).toBe('ann@example.com');
  });
});
