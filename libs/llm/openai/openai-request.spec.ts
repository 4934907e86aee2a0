import fc from 'fast-check';
import { encode } from 'gpt-tokenizer';
import { createDefaultRegistry } from '../default-registry.js';
import type { LlmRequest } from '../llm-provider.js';
import { openAiWarnings } from './openai-models.js';
import { isOpenAiUrl, openAiBody } from './openai-request.js';

const request: LlmRequest = {
  model: 'gpt-4.1-mini',
  system: 'Be brief.',
  messages: [{ role: 'user', content: 'Hi' }],
  maxTokens: 50,
  temperature: 0.2,
  timeoutMs: 1000,
};

describe('openAiBody', () => {
  it('says to OpenAI what decides price and storage', () => {
    expect(openAiBody(request, true)).toEqual({
      model: 'gpt-4.1-mini',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hi' },
      ],
      max_completion_tokens: 50,
      temperature: 0.2,
      service_tier: 'default',
      store: false,
    });
  });

  it('sends to other servers only what all of them know', () => {
    const { system: _, temperature: __, ...plain } = request;
    expect(openAiBody(plain, false)).toEqual({
      model: 'gpt-4.1-mini',
      messages: [{ role: 'user', content: 'Hi' }],
      max_tokens: 50,
    });
  });

  it.each(['o1', 'o3-mini', 'gpt-5', 'gpt-5.6-sol', 'gpt-6-luna', 'openai/gpt-5'])(
    'sends %s no temperature, and the bound that it knows',
    (model) => {
      for (const atOpenAi of [true, false]) {
        const body = openAiBody({ ...request, model }, atOpenAi);
        expect(body).toMatchObject({ max_completion_tokens: 50 });
        expect(body).not.toHaveProperty('temperature');
        expect(body).not.toHaveProperty('max_tokens');
      }
    },
  );

  it('sends a schema, strict where it can be, under a name that is allowed', () => {
    const schema = { type: 'object', properties: {}, required: [], additionalProperties: false };
    const strict = openAiBody({ ...request, responseSchema: { name: 'lead score!', schema } }, true);
    expect(strict.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'lead_score_', schema, strict: true },
    });
    const loose = openAiBody({ ...request, responseSchema: { name: '', schema: { type: 'object' } } }, true);
    expect(loose.response_format).toMatchObject({ json_schema: { name: 'answer', strict: false } });
  });
});

describe('isOpenAiUrl', () => {
  it.each([
    ['https://api.openai.com/v1', true],
    ['https://eu.api.openai.com/v1', true],
    ['https://evilapi.openai.com/v1', false],
    ['https://api.openai.com.evil.test/v1', false],
    ['http://127.0.0.1:4010/v1', false],
    ['nonsense', false],
  ])('%s: %s', (url, expected) => {
    expect(isOpenAiUrl(url)).toBe(expected);
  });
});

describe('openAiWarnings', () => {
  it.each([
    [{ model: 'gpt-4.1', temperature: 0.7 }, []],
    [{ model: 'gpt-5', temperature: 1 }, []],
    [{ model: 'gpt-5' }, []],
    [{ model: 'gpt-5', temperature: 0.7 }, [/takes no temperature other than 1/]],
    [{ model: 'gpt-4.1', temperature: 3 }, [/between 0 and 2/]],
    [{ model: 'gpt-4.1', temperature: NaN }, [/between 0 and 2/]],
    [{ model: 'o3-pro', temperature: 0 }, [/Chat Completions/, /no temperature/]],
  ])('%j', (config, expected) => {
    expect(openAiWarnings(config)).toEqual(expected.map((message) => expect.stringMatching(message)));
  });
});

describe('inputTokenBound', () => {
  const provider = createDefaultRegistry().byName('openai');

  it('is never below what a tokenizer counts', () => {
    const messages = fc.array(
      fc.record({ role: fc.constant('user' as const), content: fc.string({ unit: 'binary' }) }),
      {
        minLength: 1,
        maxLength: 5,
      },
    );
    fc.assert(
      fc.property(messages, fc.string({ unit: 'grapheme' }), (sent, system) => {
        const texts = [system, ...sent.map(({ content }) => content)];
        const tokens = texts.reduce(
          (sum, text) => sum + encode(text, { disallowedSpecial: new Set() }).length,
          0,
        );
        const bound = provider.inputTokenBound({ ...request, system, messages: sent });
        expect(bound).toBeGreaterThanOrEqual(tokens + 4 * texts.length + 3);
      }),
    );
  });

  it('counts the schema', () => {
    const schema = { type: 'object', description: 'x'.repeat(1000) };
    const without = provider.inputTokenBound(request);
    expect(provider.inputTokenBound({ ...request, responseSchema: { name: 'a', schema } })).toBeGreaterThan(
      without + 1000,
    );
  });
});
