import fc from 'fast-check';
import { redact } from './redact.js';

const apiKey = 'sk-proj-4f9aQ2zX81LmNoPq';
const nothing = { apiKey, sent: [] };

describe('redact', () => {
  it.each([
    [
      'Incorrect API key provided: sk-proj-********NoPq. Find yours.',
      'Incorrect API key provided: [key]. Find yours.',
    ],
    [`Bad header: Bearer ${apiKey}`, 'Bad header: [key]'],
    ['Bad header: Bearer abcdef', 'Bad header: [key]'],
    ['key abcd***wxyz is revoked', 'key [key] is revoked'],
    ['token 0123456789abcdef0123456789abcdef', 'token [key]'],
    ['starts with f9aQ2zX81L', 'starts with [key]'],
    ['two\n  lines\u0000here', 'two lines here'],
    [
      'The model `gpt-4o-mini-search-preview-2025-03-11` does not exist',
      'The model `gpt-4o-mini-search-preview-2025-03-11` does not exist',
    ],
  ])('turns %j into %j', (text, clean) => {
    expect(redact(text, nothing)).toBe(clean);
  });

  it('takes out quotations of the prompt, escaped ones too', () => {
    const sent = ['Summarise the\nsalary of "Ada Lovelace", please'];
    expect(redact('bad input: "salary of \\"Ada Lovelace\\", please"', { apiKey, sent })).toBe(
      'bad input: "[prompt]"',
    );
    expect(redact('bad input: Summarise the salary of', { apiKey, sent })).toBe('bad input: [prompt]');
  });

  it('is at most 300 characters long', () => {
    expect(redact('word '.repeat(1000), nothing)).toHaveLength(300);
  });

  it('never lets a long enough part of the key or the prompt through', () => {
    const secret = fc.string({ minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(fc.string(), secret, fc.string(), (before, prompt, after) => {
        const result = redact(`${before}${prompt}${apiKey}${after}`, { apiKey, sent: [prompt] });
        expect(result).not.toContain(apiKey);
        expect(result).not.toContain(prompt);
      }),
    );
  });

  it('copes with an empty and a short key', () => {
    expect(redact('plain words', { apiKey: '', sent: [] })).toBe('plain words');
    expect(redact('key abc is bad', { apiKey: 'abc', sent: [] })).toBe('key [key] is bad');
  });
});
