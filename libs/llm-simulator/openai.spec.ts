import OpenAI from 'openai';
import { createSimulator, type Simulator } from './simulator.js';
import { countTokens } from './tokens.js';

const PROMPT = 'Summarise 3M:\nName: 3M\nSector: Industrials\nFounded: 1902';
const SUMMARY = '3M is in Industrials. Founded: 1902.';
const SCHEMA = {
  type: 'object',
  properties: { sector: { type: 'string', enum: ['Energy', 'Industrials'] }, founded: { type: 'integer' } },
  required: ['sector', 'founded'],
  additionalProperties: false,
};
const VALUE = { sector: 'Industrials', founded: 1902 };
const messages = [{ role: 'user' as const, content: PROMPT }];

let simulator: Simulator;
let client: OpenAI;

beforeAll(async () => {
  simulator = createSimulator();
  const { url } = await simulator.listen();
  client = new OpenAI({ apiKey: 'sk-test-1234', baseURL: `${url}/v1`, maxRetries: 0 });
});
afterEach(() => {
  simulator.clearScript();
  simulator.clearRequests();
});
afterAll(() => simulator.close());

describe('Chat Completions', () => {
  it('answers with the true usage and a request id', async () => {
    const { data, response } = await client.chat.completions
      .create({ model: 'gpt-4o', messages })
      .withResponse();
    expect(response.headers.get('x-request-id')).toMatch(/^req_/);
    expect(data).toMatchObject({ object: 'chat.completion', model: 'gpt-4o' });
    expect(data.choices).toMatchObject([
      { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: SUMMARY } },
    ]);
    expect(data.usage?.completion_tokens).toBe(countTokens(SUMMARY));
    expect(data.usage?.prompt_tokens).toBeGreaterThanOrEqual(countTokens(PROMPT));
    expect(data.usage?.total_tokens).toBe((data.usage?.prompt_tokens ?? 0) + countTokens(SUMMARY));
    expect(data.usage?.prompt_tokens_details?.cached_tokens).toBe(0);
    expect(data.usage?.completion_tokens_details?.reasoning_tokens).toBe(0);
  });

  it('streams, with the usage only where it is asked', async () => {
    for (const include_usage of [true, false]) {
      const stream = await client.chat.completions.create({
        model: 'gpt-4o',
        messages,
        stream: true,
        stream_options: { include_usage },
      });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(SUMMARY);
      expect(chunks.length).toBeGreaterThan(3);
      expect(chunks.filter((chunk) => chunk.usage).length).toBe(include_usage ? 1 : 0);
      expect(chunks.flatMap((chunk) => chunk.choices).at(-1)?.finish_reason).toBe('stop');
    }
  });

  it('satisfies a schema, streamed or not', async () => {
    const asked = {
      model: 'gpt-4o',
      messages,
      response_format: {
        type: 'json_schema' as const,
        json_schema: { name: 'lead', strict: true, schema: SCHEMA },
      },
    };
    const parsed = await client.chat.completions.parse(asked);
    expect(parsed.choices[0]?.message.parsed).toEqual(VALUE);
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    expect(JSON.parse(streamed.choices[0]?.message.content ?? '')).toEqual(VALUE);
  });

  it('calls the tool it must call, streamed or not', async () => {
    const asked = {
      model: 'gpt-4o',
      messages,
      tools: [{ type: 'function' as const, function: { name: 'store', parameters: SCHEMA } }],
      tool_choice: 'required' as const,
    };
    const whole = await client.chat.completions.create(asked);
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    for (const { choices } of [whole, streamed]) {
      const call = choices[0]?.message.tool_calls?.[0];
      expect(choices[0]?.finish_reason).toBe('tool_calls');
      expect(call?.type === 'function' && JSON.parse(call.function.arguments)).toEqual(VALUE);
    }
  });

  it('ends at the token limit and at a stop sequence', async () => {
    const cut = await client.chat.completions.create({
      model: 'gpt-5-mini',
      messages,
      max_completion_tokens: 3,
    });
    expect(cut.choices[0]?.finish_reason).toBe('length');
    expect(cut.usage?.completion_tokens).toBe(3);
    const stopped = await client.chat.completions.create({ model: 'gpt-4o', messages, stop: ['.'] });
    expect(stopped.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: '3M is in Industrials' },
    });
  });

  it.each<[string, object]>([
    ['messages', {}],
    ['messages', { messages: [] }],
    ['messages[0].role', { messages: [{ role: 'robot', content: 'x' }] }],
    ['messages[0].content', { messages: [{ role: 'user', content: 7 }] }],
    ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ type: 'smell' }] }] }],
    ['model', { model: '', messages }],
    ['nonsense', { messages, nonsense: 1 }],
    ['temperature', { messages, temperature: 3 }],
    ['temperature', { messages, model: 'gpt-5-mini', temperature: 0.5 }],
    ['max_tokens', { messages, model: 'gpt-5-mini', max_tokens: 5 }],
    ['max_tokens', { messages, max_tokens: 0 }],
    ['max_tokens', { messages, max_tokens: 5, max_completion_tokens: 5 }],
    ['n', { messages, n: 2 }],
    ['stream', { messages, stream: 'yes' }],
    ['stream_options', { messages, stream_options: { include_usage: true } }],
    ['messages', { messages, response_format: { type: 'json_object' } }],
    [
      'response_format.name',
      { messages, response_format: { type: 'json_schema', json_schema: { schema: SCHEMA } } },
    ],
    [
      'response_format',
      {
        messages,
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'x', strict: true, schema: { ...SCHEMA, required: ['sector'] } },
        },
      },
    ],
    [
      'response_format',
      {
        messages,
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'x', strict: true, schema: { type: 'object', properties: {} } },
        },
      },
    ],
    ['tool_choice', { messages, tool_choice: 'required' }],
  ])('refuses a wrong %s', async (param, body) => {
    const request = client.post('/chat/completions', { body: { model: 'gpt-4o', ...body } });
    await expect(request).rejects.toMatchObject({ status: 400, type: 'invalid_request_error', param });
  });

  it('refuses missing and bad keys, unknown paths and methods, and bodies that are no JSON', async () => {
    const { baseURL } = client;
    const post = (path: string, headers: Record<string, string>, body: string) =>
      fetch(baseURL + path, { method: 'POST', headers, body });
    const good = { authorization: 'Bearer sk-test' };
    expect((await post('/chat/completions', {}, '{}')).status).toBe(401);
    expect((await post('/chat/completions', good, '{"model":')).status).toBe(400);
    expect((await post('/chat/completions', good, '[]')).status).toBe(400);
    expect((await post('/nothing', good, '{}')).status).toBe(404);
    expect((await fetch(`${baseURL}/chat/completions`, { headers: good })).status).toBe(405);
    const bad = client.withOptions({ apiKey: 'sk-invalid' }).models.list();
    await expect(bad).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  it('refuses a body above 10 MB', async () => {
    const big = [{ role: 'user' as const, content: 'x '.repeat(6_000_000) }];
    await expect(client.chat.completions.create({ model: 'gpt-4o', messages: big })).rejects.toMatchObject({
      status: 413,
    });
  });

  it('lists models', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('gpt-4o-mini');
  });
});

describe('Responses', () => {
  it('answers, with instructions as the system message', async () => {
    const response = await client.responses.create({
      model: 'gpt-5',
      input: 'Name: 3M\nSector: Industrials',
      instructions: 'Answer with one of: Energy, Industrials.',
    });
    expect(response).toMatchObject({
      status: 'completed',
      output_text: 'Industrials',
      incomplete_details: null,
    });
    expect(response.usage).toMatchObject({
      output_tokens: countTokens('Industrials'),
      input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 0 },
    });
  });

  it('streams the events that the client puts together', async () => {
    const stream = client.responses.stream({ model: 'gpt-5', input: [{ role: 'user', content: PROMPT }] });
    let deltas = '';
    stream.on('response.output_text.delta', ({ delta }) => {
      deltas += delta;
    });
    const response = await stream.finalResponse();
    expect([deltas, response.output_text, response.status]).toEqual([SUMMARY, SUMMARY, 'completed']);
    expect(response.usage?.output_tokens).toBe(countTokens(SUMMARY));
  });

  it('satisfies a schema and calls tools, streamed or not', async () => {
    const text = { format: { type: 'json_schema' as const, name: 'lead', strict: true, schema: SCHEMA } };
    const asked = { model: 'gpt-5', input: PROMPT, text };
    expect((await client.responses.parse(asked)).output_parsed).toEqual(VALUE);
    expect(JSON.parse((await client.responses.stream(asked).finalResponse()).output_text)).toEqual(VALUE);
    const tools = [{ type: 'function' as const, name: 'store', parameters: SCHEMA, strict: true }];
    const forced = {
      model: 'gpt-5',
      input: PROMPT,
      tools,
      tool_choice: { type: 'function' as const, name: 'store' },
    };
    for (const { output } of [
      await client.responses.create(forced),
      await client.responses.stream(forced).finalResponse(),
    ]) {
      expect(output).toMatchObject([
        { type: 'function_call', name: 'store', arguments: JSON.stringify(VALUE) },
      ]);
    }
  });

  it('uses its own tools within their cap, as output items with sources, streamed or not', async () => {
    const tools = [
      { type: 'web_search' as const },
      { type: 'file_search' as const, vector_store_ids: ['vs_1'] },
      { type: 'code_interpreter' as const, container: { type: 'auto' as const } },
    ];
    const asked = { model: 'gpt-5', input: PROMPT, tools };
    for (const response of [
      await client.responses.create(asked),
      await client.responses.stream(asked).finalResponse(),
    ]) {
      expect(response.output.map(({ type }) => type)).toEqual([
        'web_search_call',
        'web_search_call',
        'file_search_call',
        'code_interpreter_call',
        'message',
      ]);
      const message = response.output.at(-1);
      expect(message?.type === 'message' && message.content[0]).toMatchObject({
        text: SUMMARY,
        annotations: [{ type: 'url_citation', url: 'https://example.com/found/1' }],
      });
    }
    const capped = await client.responses.create({ ...asked, max_tool_calls: 1 } as typeof asked);
    expect(capped.output.map(({ type }) => type)).toEqual(['web_search_call', 'web_search_call', 'message']);
  });

  it('is incomplete at the token limit', async () => {
    const long = `${PROMPT}\nHeadquarters: Saint Paul, Minnesota\nProducts: tape, glue, abrasives, filters`;
    const asked = { model: 'gpt-5', input: long, max_output_tokens: 16 };
    for (const response of [
      await client.responses.create(asked),
      await client.responses.stream(asked).finalResponse(),
    ]) {
      expect(response).toMatchObject({
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
        usage: { output_tokens: 16 },
      });
    }
  });

  it.each<[string, object]>([
    ['input', {}],
    ['input[0].role', { input: [{ role: 'x', content: 'x' }] }],
    ['max_output_tokens', { input: 'x', max_output_tokens: 5 }],
    ['text.format.schema', { input: 'x', text: { format: { type: 'json_schema', name: 'x' } } }],
    ['previous_response_id', { input: 'x', previous_response_id: 'resp_1' }],
    ['stop', { input: 'x', stop: 'y' }],
    ['tools[0].vector_store_ids', { input: 'x', tools: [{ type: 'file_search', vector_store_ids: [] }] }],
    ['tools[0].container', { input: 'x', tools: [{ type: 'code_interpreter' }] }],
    ['max_tool_calls', { input: 'x', max_tool_calls: 0 }],
  ])('refuses a wrong %s', async (param, body) => {
    await expect(client.post('/responses', { body: { model: 'gpt-5', ...body } })).rejects.toMatchObject({
      status: 400,
      param,
    });
  });
});
