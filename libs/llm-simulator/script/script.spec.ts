import type { Ask } from '../wires/wire.js';
import { readRules, type ScriptRule } from './rules.js';
import { Script } from './script.js';

const ask: Ask = {
  model: 'gpt-4o',
  system: 'Be brief.',
  prompt: 'Summarise 3M',
  wantsJson: false,
  stream: false,
  includeUsage: false,
  stopSequences: [],
  inputTokens: 1,
  body: {},
};

function script(rules: ScriptRule[], seed = 1): Script {
  const made = new Script(seed);
  made.set(rules);
  return made;
}

describe('Script', () => {
  it('gives a request to the first rule that fits', () => {
    const rules = script([
      { match: { model: 'gpt-5' }, latency_ms: 1 },
      { match: { prompt_includes: 'Acme' }, latency_ms: 2 },
      { match: { api_key: 'sk-other' }, latency_ms: 3 },
      { match: { model: 'gpt-4o', prompt_includes: 'brief', api_key: 'sk-1' }, latency_ms: 4 },
      { latency_ms: 5 },
    ]);
    expect(rules.take(ask, 'sk-1')?.latency_ms).toBe(4);
    expect(rules.take(ask, 'sk-2')?.latency_ms).toBe(5);
  });

  it('uses a rule so many times, and then the next', () => {
    const rules = script([
      { times: 2, latency_ms: 1 },
      { times: 1, latency_ms: 2 },
    ]);
    expect([1, 2, 3, 4].map(() => rules.take(ask, 'k')?.latency_ms)).toEqual([1, 1, 2, undefined]);
  });

  it('falls with a probability that the seed fixes', () => {
    const run = (seed: number) => {
      const rules = script([{ probability: 0.3 }], seed);
      return Array.from({ length: 1000 }, () => rules.take(ask, 'k') !== undefined);
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
    expect(run(7).filter(Boolean).length).toBeGreaterThan(250);
    expect(run(7).filter(Boolean).length).toBeLessThan(350);
  });

  it('replaces, appends and clears', () => {
    const rules = script([{ times: 1, latency_ms: 1 }]);
    rules.set([{ latency_ms: 2 }], true);
    expect([rules.take(ask, 'k')?.latency_ms, rules.take(ask, 'k')?.latency_ms]).toEqual([1, 2]);
    rules.set([{ latency_ms: 3 }]);
    expect(rules.take(ask, 'k')?.latency_ms).toBe(3);
    rules.clear();
    expect(rules.take(ask, 'k')).toBeUndefined();
  });
});

describe('readRules', () => {
  it.each<[unknown, string]>([
    [{}, 'rules: give a list'],
    [[null], 'rules[0]: must be an object'],
    [[{ nope: 1 }], 'rules[0].nope: is not known'],
    [[{ match: { prompt: 'x' } }], 'rules[0].match.prompt: is not known'],
    [[{ match: { model: 1 } }], 'rules[0].match.model: must be a text'],
    [[{ times: 1.5 }], 'rules[0].times: must be a whole number'],
    [[{ probability: 2 }], 'rules[0].probability: must be a number from 0 to 1'],
    [[{ latency_ms: -1 }], 'rules[0].latency_ms'],
    [[{}, { action: { type: 'explode' } }], 'rules[1].action.type: must be one of'],
    [[{ action: { type: 'error' } }], 'rules[0].action.status: must be an HTTP status'],
    [[{ action: { type: 'answer' } }], 'rules[0].action.text: give the text'],
    [[{ action: { type: 'answer', text: 'x', pause: 1 } }], 'rules[0].action.pause: must be true or false'],
    [
      [{ action: { type: 'answer', text: 'x', usage: { tokens: 1 } } }],
      'rules[0].action.usage.tokens: is not known',
    ],
    [[{ action: { type: 'hold', then: { type: 'hold' } } }], 'rules[0].action.then.type'],
  ])('refuses %j', (rules, message) => {
    expect(() => readRules(rules)).toThrow(message);
  });
});
