import type { LlmRequest } from '../llm-provider.js';
import { AnthropicProvider } from './anthropic-provider.js';
import { anthropicBody, isAnthropicUrl } from './anthropic-request.js';
import { fitsOutputFormat } from './format-schema.js';

const request: LlmRequest = {
  model: 'claude-sonnet-5',
  system: 'Be brief.',
  messages: [{ role: 'user', content: 'Hi' }],
  maxTokens: 50,
  temperature: 0.2,
  timeoutMs: 1000,
};
const closed = {
  type: 'object',
  properties: { score: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['score'],
  additionalProperties: false,
};

describe('anthropicBody', () => {
  it('names the service tier and sends no sampling parameter', () => {
    expect(anthropicBody(request)).toEqual({
      model: 'claude-sonnet-5',
      max_tokens: 50,
      system: 'Be brief.',
      messages: [{ role: 'user', content: 'Hi' }],
      service_tier: 'standard_only',
    });
  });

  it('asks for structured output where the schema is one that is taken', () => {
    const held = anthropicBody({ ...request, responseSchema: { name: 'answer', schema: closed } });
    expect(held.output_config).toEqual({ format: { type: 'json_schema', schema: closed } });
    const open = { ...closed, additionalProperties: true };
    const free = anthropicBody({ ...request, responseSchema: { name: 'answer', schema: open } });
    expect(free).not.toHaveProperty('output_config');
  });

  it('is bounded by its bytes', () => {
    const provider = new AnthropicProvider();
    const bytes = Buffer.byteLength(JSON.stringify(anthropicBody(request)));
    expect(provider.inputTokenBound(request)).toBeGreaterThan(bytes);
    const continuation = { content: [{ type: 'text', text: 'x'.repeat(10_000) }] };
    expect(provider.inputTokenBound({ ...request, continuation })).toBeGreaterThan(bytes + 10_000);
  });
});

describe('fitsOutputFormat', () => {
  const of = (property: object) => ({ ...closed, properties: { score: property } }) as never;

  it.each([
    ['a plain object', closed],
    ['an enum', of({ type: 'string', enum: ['a', 'b'] })],
    ['an alternative', of({ anyOf: [{ type: 'string' }, { type: 'null' }] })],
    ['a format', of({ type: 'string', format: 'date' })],
  ])('takes %s', (_what, schema) => {
    expect(fitsOutputFormat(schema as never)).toBe(true);
  });

  it.each([
    ['a list at the root', { type: 'array', items: { type: 'string' } }],
    ['an open object', { ...closed, additionalProperties: true }],
    ['an object that does not say', { type: 'object', properties: {} }],
    ['a bound on a number', of({ type: 'integer', minimum: 0 })],
    ['a bound on a text', of({ type: 'string', maxLength: 5 })],
    ['a bound on a list', of({ type: 'array', items: { type: 'string' }, maxItems: 5 })],
    ['a reference', of({ $ref: '#' })],
    ['an enum of objects', of({ enum: [{}] })],
    ['an unknown format', of({ type: 'string', format: 'color' })],
    [
      'too many optional members',
      {
        ...closed,
        properties: Object.fromEntries(Array.from({ length: 26 }, (_, n) => [`p${n}`, { type: 'string' }])),
        required: [],
      },
    ],
  ])('does not take %s', (_what, schema) => {
    expect(fitsOutputFormat(schema as never)).toBe(false);
  });
});

describe('isAnthropicUrl', () => {
  it.each([
    ['https://api.anthropic.com', true],
    ['https://api.anthropic.com.evil.test', false],
    ['https://evilanthropic.com', false],
    ['nonsense', false],
  ])('%s: %s', (url, own) => {
    expect(isAnthropicUrl(url)).toBe(own);
  });
});
