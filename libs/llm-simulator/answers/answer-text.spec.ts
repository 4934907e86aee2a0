import fc from 'fast-check';
import { XMLValidator } from 'fast-xml-parser';
import { parse as parseYaml } from 'yaml';
import { answerText } from './answer-text.js';

const RECORD = [
  'Name: 3M',
  'Sector: Industrials',
  'Sub-Industry: Industrial Conglomerates',
  'Headquarters: Saint Paul, Minnesota',
  'Founded: 1902',
  'Employees: 61,500',
  'Website: https://www.3m.com',
  'Note: <b>tape</b> & "glue"',
].join('\n');

function answer(prompt: string, system = ''): string {
  return answerText({ system, prompt, wantsJson: false });
}

describe('answerText', () => {
  it('quotes the facts of one line in a summary', () => {
    const prompt =
      'Summarise 3M: Name: 3M, Sector: Industrials, Headquarters: Saint Paul, Minnesota, Founded: 1902';
    expect(answer(prompt)).toBe('3M is in Industrials. Headquarters: Saint Paul, Minnesota. Founded: 1902.');
  });

  it('quotes the facts of several lines in a summary', () => {
    const text = answer(`Summarise 3M from Acme:\n${RECORD}`);
    expect(text).toContain('3M is in Industrials (Industrial Conglomerates).');
    expect(text).toContain('Headquarters: Saint Paul, Minnesota.');
    expect(text).toContain('Founded: 1902.');
  });

  it('makes a sentence of a prompt without facts', () => {
    expect(answer('Summarise 3M in Industrials')).toBe('3M is in Industrials.');
    expect(answer('Hello')).toContain('Hello');
  });

  it.each(['Write one short sentence about it.', 'Write a pitch.', 'Write a tagline.'])(
    '%s: one sentence',
    (asked) => {
      const text = answer(`${asked}\n${RECORD}`);
      expect(text).toContain('3M');
      expect(text.match(/[.!?](?:\s|$)/g)).toHaveLength(1);
      expect(text).not.toContain('\n');
    },
  );

  it.each([
    ['Answer with exactly one of: hot, warm, cold. Nothing else.', ['hot', 'warm', 'cold']],
    [
      'Answer with one of the following options:\n- Tier 1\n- Tier 2\n- Tier 3',
      ['Tier 1', 'Tier 2', 'Tier 3'],
    ],
    ['Choose from: ["yes, today", "no, never"]', ['yes, today', 'no, never']],
    ['Classify it as big, medium or small.', ['big', 'medium', 'small']],
  ])('picks an option: %s', (asked, options) => {
    expect(options).toContain(answer(`Look at this.\n${RECORD}`, asked));
    expect(options).toContain(answer(`${asked}\n${RECORD}`));
  });

  it('prefers the option that occurs in the data', () => {
    expect(answer(`Classify.\n${RECORD}`, 'Answer with one of: Energy, Industrials, Utilities.')).toBe(
      'Industrials',
    );
    expect(answer('Classify 3M as hot, warm or cold. Note: it was a cold call')).toBe('cold');
    expect(answer('The mail was very positive about us', 'Options: positive, neutral, negative')).toBe(
      'positive',
    );
  });

  it('gives several options where several are asked', () => {
    const asked = 'Answer with any of these options as a JSON array: "energy", "industrials", "glue"';
    expect(JSON.parse(answer(RECORD, asked))).toEqual(['industrials', 'glue']);
    expect(answer(RECORD, 'Answer with one or more of: energy, industrials, glue')).toBe('industrials, glue');
  });

  it('gives just a number, a boolean or a date', () => {
    expect(
      Number(answer(`Rate it from 1 to 10.\n${RECORD}`, 'Reply with only a number.')),
    ).toBeGreaterThanOrEqual(1);
    expect(answer(`How many employees?\n${RECORD}`, 'Answer with a single number and nothing else.')).toBe(
      '61500',
    );
    expect(answer(`Is it large?\n${RECORD}`, 'Answer with true or false only.')).toMatch(/^(true|false)$/);
    expect(answer(`Is it large?\n${RECORD}`, 'Answer yes or no.')).toMatch(/^(Yes|No)$/);
    expect(answer(`When?\n${RECORD}`, 'Answer with a date as YYYY-MM-DD.')).toMatch(/^202\d-\d\d-\d\d$/);
    expect(answer('When? Added: 2017-07-26', 'Answer with a date as YYYY-MM-DD.')).toBe('2017-07-26');
  });

  it('writes the formats that are asked', () => {
    const facts = expect.objectContaining({ name: '3M', headquarters: 'Saint Paul, Minnesota' });
    expect(JSON.parse(answer(RECORD, 'Answer with JSON only.'))).toEqual(facts);
    expect(parseYaml(answer(RECORD, 'Answer with one valid YAML document.'))).toEqual(facts);
    expect(XMLValidator.validate(answer(RECORD, 'Answer as XML.'))).toBe(true);
    expect(answer(RECORD, 'Answer with an HTML fragment.')).toContain('&lt;b&gt;tape&lt;/b&gt; &amp;');
    expect(answer(RECORD, 'Write Markdown.')).toContain('- **Headquarters:** Saint Paul, Minnesota');
    expect(
      Object.keys(JSON.parse(answer(`Return a JSON object with keys sector and mood.\n${RECORD}`))),
    ).toEqual(['sector', 'mood']);
  });

  it('keeps to a limit of words', () => {
    expect(answer(`In at most 8 words, summarise:\n${RECORD}`).split(' ')).toHaveLength(8);
  });

  it('gives equal answers to equal questions, and some answer to any', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.string({ maxLength: 100 }),
        (prompt, system) => {
          const text = answer(prompt, system);
          expect(text).not.toBe('');
          expect(answer(prompt, system)).toBe(text);
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  it.each([
    'a: ',
    'A, ',
    'one of ',
    'classify in ',
    'keys ab',
    '{',
    '- ',
    'in or ',
    'Answer with only number ',
    ' ',
  ])('is not slowed by a hostile prompt: %j', (piece) => {
    const before = process.cpuUsage();
    answer(piece.repeat(100_000));
    answer('x', piece.repeat(100_000));
    // Time that this process worked, whatever else the machine does: what grows with the square takes minutes.
    expect(process.cpuUsage(before).user).toBeLessThan(15_000_000);
  });
});
