import { createDefaultRegistry } from '../default-registry.js';
import type { ToolName } from '../llm-provider.js';
import { readResponsesAnswer } from './responses-answer.js';
import { responsesBody, type ToolRequest } from './responses-request.js';

const request: ToolRequest = {
  model: 'gpt-4.1-mini',
  system: 'Be brief.',
  messages: [{ role: 'user', content: 'Hi' }],
  maxTokens: 50,
  temperature: 0.2,
  timeoutMs: 1000,
  tools: { names: ['web_search'], maxUses: 4 },
};
const provider = createDefaultRegistry().byName('openai');

describe('responsesBody', () => {
  it('says what decides price and storage, and caps the tools', () => {
    expect(responsesBody(request)).toEqual({
      model: 'gpt-4.1-mini',
      instructions: 'Be brief.',
      input: [{ role: 'user', content: 'Hi' }],
      max_output_tokens: 50,
      temperature: 0.2,
      tools: [{ type: 'web_search' }],
      max_tool_calls: 4,
      service_tier: 'default',
      store: false,
    });
  });

  it('knows every tool', () => {
    const names: ToolName[] = ['web_search', 'code_interpreter', 'image_generation', 'file_search'];
    const { tools } = responsesBody({ ...request, tools: { names, maxUses: 1, vectorStoreIds: ['vs_1'] } });
    expect(tools).toEqual([
      { type: 'web_search' },
      { type: 'code_interpreter', container: { type: 'auto' } },
      { type: 'image_generation' },
      { type: 'file_search', vector_store_ids: ['vs_1'] },
    ]);
    expect(provider.tools).toEqual(names);
  });

  it('asks for structured output', () => {
    const schema = { type: 'object', properties: {}, required: [], additionalProperties: false };
    const { text } = responsesBody({ ...request, responseSchema: { name: 'my answer', schema } });
    expect(text).toEqual({ format: { type: 'json_schema', name: 'my_answer', schema, strict: true } });
  });

  it('is sent as it is bounded: no temperature for models that reason, at least 16 tokens', () => {
    const sent = provider.asSent!({ ...request, model: 'gpt-5', maxTokens: 3 });
    expect(sent).toMatchObject({ maxTokens: 16, temperature: undefined });
    expect(responsesBody({ ...request, model: 'gpt-5', maxTokens: 3 })).toMatchObject({
      max_output_tokens: 16,
    });
    expect(provider.asSent!({ ...request, tools: undefined, maxTokens: 3 }).maxTokens).toBe(3);
    expect(provider.inputTokenBound(request)).toBeGreaterThan(
      Buffer.byteLength(JSON.stringify(responsesBody(request))),
    );
  });

  it('bounds all tools together', () => {
    const tools = { names: ['web_search', 'file_search'] as ToolName[], maxUses: 4 };
    expect(provider.toolBounds!({ ...request, tools })).toEqual({
      caps: { web_search: 4, file_search: 4 },
      uses: 4,
      outputs: 1,
    });
  });
});

const said = (text: string, annotations: object[] = []) => ({
  type: 'message',
  content: [{ type: 'output_text', text, annotations }],
});
const response = (output: unknown, more: object = {}) =>
  JSON.stringify({
    status: 'completed',
    model: 'gpt-4.1-mini-2025',
    output,
    usage: { input_tokens: 100, input_tokens_details: { cached_tokens: 30 }, output_tokens: 7 },
    ...more,
  });
const read = (output: unknown, more?: object) => readResponsesAnswer(response(output, more), 'gpt-4.1-mini');
const tokens = { input: 70, cacheRead: 30, cacheWrite5m: 0, cacheWrite1h: 0, output: 7 };

describe('readResponsesAnswer', () => {
  it('reads text, usage and model, past what a model thinks', () => {
    expect(read([{ type: 'reasoning', summary: [] }, said('Well '), said('paid.')])).toEqual({
      text: 'Well paid.',
      stopReason: 'stop',
      usage: { ...tokens, toolCalls: {} },
      model: 'gpt-4.1-mini-2025',
    });
  });

  it('leaves out what is said before the last use of a tool', () => {
    const search = { type: 'web_search_call', action: { type: 'search' } };
    expect(read([said('Let me look.'), search, said('Found.')])).toMatchObject({ text: 'Found.' });
    expect(read([said('Found.'), search])).toMatchObject({ text: 'Found.' });
  });

  it('counts what is charged: searches but not the pages opened, and one use for each container', () => {
    const search = (type?: string) => ({ type: 'web_search_call', action: type && { type } });
    const code = (container_id?: string) => ({ type: 'code_interpreter_call', container_id });
    const items = [
      ...[search('search'), search('open_page'), search('find_in_page'), search('search'), search()],
      ...[code('c1'), code('c1'), code('c2'), code()],
      ...[{ type: 'file_search_call' }, { type: 'image_generation_call', result: 'aGk=' }],
      said('Done.'),
    ];
    const answer = read(items);
    expect(answer).toMatchObject({
      usage: {
        ...tokens,
        toolCalls: { web_search: 3, code_interpreter: 3, file_search: 1, image_generation: 1 },
      },
    });
  });

  it('keeps the sources, each once', () => {
    const url = { type: 'url_citation', url: 'https://a.example', title: 'A', start_index: 0, end_index: 3 };
    const file = { type: 'file_citation', file_id: 'file_1', filename: 'notes.pdf', index: 2 };
    expect(read([said('Found.', [url, url, file])])).toMatchObject({
      citations: [
        { url: 'https://a.example', title: 'A' },
        { fileId: 'file_1', title: 'notes.pdf' },
      ],
    });
  });

  it.each([
    ['length', 'max_output_tokens'],
    ['refusal', 'content_filter'],
    ['other', 'constructor'],
  ])('takes for %s what is incomplete by %s', (stopReason, reason) => {
    const more = { status: 'incomplete', incomplete_details: { reason } };
    expect(read([said('Half')], more)).toMatchObject({ stopReason, text: 'Half' });
  });

  it('reads a refusal', () => {
    const refused = { type: 'message', content: [{ type: 'refusal', refusal: 'I cannot.' }] };
    expect(read([refused])).toMatchObject({ stopReason: 'refusal', text: 'I cannot.' });
  });

  it.each([
    [
      'a failure',
      response([], { status: 'failed', error: { code: 'server_error', message: 'oops' } }),
      'oops',
    ],
    ['one that has not ended', response([], { status: 'queued' }), undefined],
    ['something else', JSON.stringify({ choices: [] }), undefined],
    ['no JSON', '<html>', undefined],
  ])('makes no answer of %s', (_what, body, words) => {
    const answer = readResponsesAnswer(body, 'gpt-4.1-mini');
    expect(answer).toMatchObject({ problem: expect.any(String) });
    if (words !== undefined) expect(answer).toMatchObject({ said: words, usage: { ...tokens } });
  });

  it('assumes nothing about what is in it', () => {
    for (const output of [undefined, null, 'x', [null, 1, 'x', {}, { content: 5 }, { content: [null] }]]) {
      expect(read(output)).toMatchObject({ text: '', stopReason: 'stop' });
    }
    expect(read([said('x')], { usage: null })).toMatchObject({ usage: undefined });
  });
});
