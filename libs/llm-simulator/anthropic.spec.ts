import Anthropic from '@anthropic-ai/sdk';
import { createSimulator, type Simulator } from './simulator.js';
import { countTokens } from './tokens.js';

const PROMPT = 'Summarise 3M:\nName: 3M\nSector: Industrials\nFounded: 1902';
const SUMMARY = '3M is in Industrials. Founded: 1902.';
const SCHEMA = {
  type: 'object' as const,
  properties: { sector: { type: 'string', enum: ['Energy', 'Industrials'] }, founded: { type: 'integer' } },
  required: ['sector', 'founded'],
  additionalProperties: false,
};
const VALUE = { sector: 'Industrials', founded: 1902 };
const base = {
  model: 'claude-sonnet-5',
  max_tokens: 500,
  messages: [{ role: 'user' as const, content: PROMPT }],
};

let simulator: Simulator;
let client: Anthropic;

beforeAll(async () => {
  simulator = createSimulator();
  const { url } = await simulator.listen();
  client = new Anthropic({ apiKey: 'sk-ant-1234', baseURL: url, maxRetries: 0 });
});
afterEach(() => simulator.clearScript());
afterAll(() => simulator.close());

describe('Messages', () => {
  it('answers with the true usage and a request id', async () => {
    const { data, response } = await client.messages.create(base).withResponse();
    expect(response.headers.get('request-id')).toMatch(/^req_/);
    expect(data).toMatchObject({
      type: 'message',
      role: 'assistant',
      stop_reason: 'end_turn',
      stop_sequence: null,
    });
    expect(data.content).toMatchObject([{ type: 'text', text: SUMMARY }]);
    expect(data.usage).toMatchObject({
      output_tokens: countTokens(SUMMARY),
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 0,
    });
    expect(data.usage.input_tokens).toBeGreaterThanOrEqual(countTokens(PROMPT));
  });

  it('streams the events that the client puts together', async () => {
    const stream = client.messages.stream({ ...base, system: [{ type: 'text', text: 'Be brief.' }] });
    let deltas = '';
    stream.on('text', (delta) => {
      deltas += delta;
    });
    const message = await stream.finalMessage();
    expect([deltas, message.stop_reason, message.usage.output_tokens]).toEqual([
      SUMMARY,
      'end_turn',
      countTokens(SUMMARY),
    ]);
  });

  it('satisfies a schema, streamed or not', async () => {
    const asked = { ...base, output_config: { format: { type: 'json_schema' as const, schema: SCHEMA } } };
    for (const { content } of [
      await client.messages.create(asked),
      await client.messages.stream(asked).finalMessage(),
    ]) {
      expect(content[0]?.type === 'text' && JSON.parse(content[0].text)).toEqual(VALUE);
    }
  });

  it('uses its own tools within their cap, with results, sources and counts, streamed or not', async () => {
    const tools = [
      { type: 'web_search_20250305' as const, name: 'web_search' as const, max_uses: 2 },
      { type: 'code_execution_20250825' as const, name: 'code_execution' as const },
    ];
    for (const message of [
      await client.messages.create({ ...base, tools }),
      await client.messages.stream({ ...base, tools }).finalMessage(),
    ]) {
      expect(message.content.map(({ type }) => type)).toEqual([
        'server_tool_use',
        'web_search_tool_result',
        'server_tool_use',
        'bash_code_execution_tool_result',
        'text',
      ]);
      expect(message.content.at(-1)).toMatchObject({
        text: SUMMARY,
        citations: [{ type: 'web_search_result_location', url: 'https://example.com/found/1' }],
      });
      expect(message.usage.server_tool_use).toMatchObject({ web_search_requests: 1 });
      expect(message.container?.id).toMatch(/^container_/);
    }
  });

  it('pauses with a use that has no result, and gives it when the turn goes on', async () => {
    const tools = [{ type: 'web_search_20250305' as const, name: 'web_search' as const }];
    simulator.script([{ times: 1, action: { type: 'answer', text: 'Let me look.', pause: true } }]);
    const paused = await client.messages.create({ ...base, tools });
    expect(paused.stop_reason).toBe('pause_turn');
    expect(paused.content.map(({ type }) => type)).toEqual(['text', 'server_tool_use']);
    const messages = [...base.messages, { role: 'assistant' as const, content: paused.content }];
    const done = await client.messages.create({ ...base, tools, messages });
    const [opened] = done.content;
    const last = paused.content[1];
    expect(opened).toMatchObject({
      type: 'web_search_tool_result',
      tool_use_id: last?.type === 'server_tool_use' && last.id,
    });
    expect(done.stop_reason).toBe('end_turn');
  });

  it('refuses a tool of its own by another name', async () => {
    const tools = [{ type: 'web_search_20250305', name: 'search' }];
    await expect(client.post('/v1/messages', { body: { ...base, tools } })).rejects.toMatchObject({
      status: 400,
    });
  });

  it('calls the tool it must call, streamed or not', async () => {
    const tools = [{ name: 'store', input_schema: SCHEMA }];
    const asked = { ...base, tools, tool_choice: { type: 'tool' as const, name: 'store' } };
    for (const message of [
      await client.messages.create(asked),
      await client.messages.stream(asked).finalMessage(),
    ]) {
      expect(message).toMatchObject({
        stop_reason: 'tool_use',
        content: [{ type: 'tool_use', name: 'store', input: VALUE }],
      });
    }
  });

  it('ends at the token limit and at a stop sequence', async () => {
    expect(await client.messages.create({ ...base, max_tokens: 3 })).toMatchObject({
      stop_reason: 'max_tokens',
      usage: { output_tokens: 3 },
    });
    expect(await client.messages.create({ ...base, stop_sequences: ['Founded'] })).toMatchObject({
      stop_reason: 'stop_sequence',
      stop_sequence: 'Founded',
    });
  });

  it('tells scripted usage in its own buckets', async () => {
    const usage = {
      input_tokens: 10,
      cache_read_tokens: 20,
      cache_write_tokens: 3,
      cache_write_1h_tokens: 4,
      web_searches: 2,
    };
    simulator.script([{ action: { type: 'answer', text: 'Paused.', usage, pause: true } }]);
    expect(await client.messages.create(base)).toMatchObject({
      stop_reason: 'pause_turn',
      usage: {
        input_tokens: 10,
        cache_read_input_tokens: 20,
        cache_creation_input_tokens: 7,
        cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
        server_tool_use: { web_search_requests: 2 },
      },
    });
  });

  it('refuses by its stop reason, streamed or not', async () => {
    simulator.script([{ action: { type: 'refusal' } }]);
    for (const message of [
      await client.messages.create(base),
      await client.messages.stream(base).finalMessage(),
    ]) {
      expect(message).toMatchObject({
        stop_reason: 'refusal',
        stop_details: { type: 'refusal' },
        content: [],
      });
    }
  });

  it.each<[string, object]>([
    ['temperature', { temperature: 0.5 }],
    ['top_p', { top_p: 0.5 }],
    ['top_k', { top_k: 5 }],
    ['nonsense: Extra inputs', { nonsense: 1 }],
    ['max_tokens: Field required', { max_tokens: undefined }],
    ['max_tokens', { max_tokens: 0 }],
    ['at least one message', { messages: [] }],
    ["messages.0.role: Input should be 'user'", { messages: [{ role: 'system', content: 'x' }] }],
    ['non-empty content', { messages: [{ role: 'user', content: '' }] }],
    [
      "'additionalProperties' must be",
      { output_config: { format: { type: 'json_schema', schema: { type: 'object', properties: {} } } } },
    ],
    ['not found in provided tools', { tool_choice: { type: 'tool', name: 'x' } }],
  ])('refuses: %s', async (message, change) => {
    const request = client.post('/v1/messages', { body: { ...base, ...change } });
    await expect(request).rejects.toMatchObject({
      status: 400,
      error: { type: 'error', error: { type: 'invalid_request_error' } },
    });
    await expect(client.post('/v1/messages', { body: { ...base, ...change } })).rejects.toThrow(message);
  });

  it('refuses missing and bad keys and a missing version in its own shape', async () => {
    const { baseURL } = client;
    const post = (headers: Record<string, string>) =>
      fetch(`${baseURL}/v1/messages`, { method: 'POST', headers, body: JSON.stringify(base) });
    const keyless = await post({ 'anthropic-version': '2023-06-01' });
    expect([keyless.status, await keyless.json()]).toMatchObject([
      401,
      { type: 'error', error: { type: 'authentication_error' } },
    ]);
    expect((await post({ 'x-api-key': 'k' })).status).toBe(400);
    const bad = new Anthropic({ apiKey: 'sk-ant-invalid', baseURL, maxRetries: 0 }).messages.create(base);
    await expect(bad).rejects.toMatchObject({ status: 401 });
  });

  it('lists models', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('claude-sonnet-5');
  });
});
