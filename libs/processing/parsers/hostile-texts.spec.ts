import { createParserRegistry } from './parser-registry.js';

/** Characters of the shorter text; the longer one has GROWTH times as many. */
const SHORT = 2_000;
const GROWTH = 16;
/** What is linear takes GROWTH times as long, what is quadratic GROWTH² times. */
const MOST = GROWTH * 6;
/** What is read in fewer milliseconds is not quadratic: 32,000 characters, each looked at for each, take hundreds. */
const UNHEARD_MS = 50;
const ROUNDS = 3;

const parsers = createParserRegistry();

/** Texts that have kept regular expressions busy: long runs, and what nearly matches at each of their characters. */
const HOSTILE: Record<string, (length: number) => string> = {
  'a fence that is none': (n) => `${'~'.repeat(n)}\``,
  'ticks that are none': (n) => `${'`'.repeat(n)}x\``,
  'fences without an end': (n) => '```\n'.repeat(n / 4),
  'quotes and stops': (n) => `${'*".'.repeat(n / 3)}x`,
  'quotes between words': (n) => `${'a **'.repeat(n / 4)}x`,
  'white space': (n) => `x${' '.repeat(n)}x`,
  'empty lines': (n) => `x${'\n'.repeat(n)}x`,
  digits: (n) => `${'1'.repeat(n)}x`,
  'thousands of thousands': (n) => `1${',000'.repeat(n / 4)}x`,
  'signs without a number': (n) => '-'.repeat(n),
  'tags without an end': (n) => '<a '.repeat(n / 3),
  'links without an end': (n) => '<https:'.repeat(n / 7),
  'ampersands that are none': (n) => '&#x1'.repeat(n / 4),
  'comments without an end': (n) => '<!--'.repeat(n / 4),
  'brackets without an end': (n) => '['.repeat(n),
  'brackets of prose': (n) => '[a] '.repeat(n / 4),
  'braces in strings': (n) => `{"a": "${'{'.repeat(n)}`,
  'anchors and aliases': (n) => `a: &a x\n${'b: *a\n'.repeat(n / 6)}`,
  'keys of nothing': (n) => '? '.repeat(n / 2),
  'choices of nothing': (n) => 'Hot,'.repeat(n / 4),
};

/** Of this process alone: a busy machine makes no text hostile. */
function millisecondsOf(outputType: string, text: string): number {
  const before = process.cpuUsage();
  try {
    parsers.get(outputType).parse(text, { choices: ['Hot', 'Cold'], schema: { type: 'object' } });
  } catch {
    // Most of these are no answers at all: only how long that takes to find out matters.
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The least of several, which is what it takes when nothing else runs. */
function least(outputType: string, text: string): number {
  return Math.min(...Array.from({ length: ROUNDS }, () => millisecondsOf(outputType, text)));
}

describe.each(parsers.names())('an answer read as %s', (outputType) => {
  it.each(Object.entries(HOSTILE))('takes time in proportion to its length: %s', (_, hostile) => {
    const long = hostile(SHORT * GROWTH);
    if (millisecondsOf(outputType, long) < UNHEARD_MS) return;
    const growth = least(outputType, long) / least(outputType, hostile(SHORT));
    expect(growth).toBeLessThan(MOST);
  });
});
