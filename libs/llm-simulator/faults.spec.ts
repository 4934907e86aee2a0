import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { createSimulator, type ScriptAction, type Simulator } from './index.js';

const messages = [
  { role: 'user' as const, content: 'Summarise 3M:\nName: 3M\nSector: Industrials\nFounded: 1902' },
];
const format = {
  type: 'json_schema' as const,
  json_schema: {
    name: 'x',
    schema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  },
};

let simulator: Simulator;
let openai: OpenAI;
let anthropic: Anthropic;

beforeEach(async () => {
  simulator = createSimulator({ seed: 3 });
  const { url } = await simulator.listen();
  openai = new OpenAI({ apiKey: 'sk-test-1234', baseURL: `${url}/v1`, maxRetries: 0, logLevel: 'off' });
  anthropic = new Anthropic({ apiKey: 'sk-ant-5678', baseURL: url, maxRetries: 0, logLevel: 'off' });
});
afterEach(() => simulator.close());

function act(action: ScriptAction, times?: number): void {
  simulator.script([{ action, ...(times === undefined ? {} : { times }) }]);
}

const chat = () => openai.chat.completions.create({ model: 'gpt-4o', messages });
const chatStream = async () => {
  let text = '';
  for await (const chunk of await openai.chat.completions.create({
    model: 'gpt-4o',
    messages,
    stream: true,
  })) {
    text += chunk.choices[0]?.delta.content ?? '';
  }
  return text;
};
const message = () => anthropic.messages.create({ model: 'claude-sonnet-5', max_tokens: 100, messages });

describe('scripted faults', () => {
  it('limits the rate once, then answers', async () => {
    act({ type: 'rate_limit', retry_after_s: 7 }, 1);
    const error = await chat().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect((error as InstanceType<typeof OpenAI.RateLimitError>).headers.get('retry-after')).toBe('7');
    expect((await chat()).choices).toHaveLength(1);
    act({ type: 'rate_limit' });
    await expect(message()).rejects.toBeInstanceOf(Anthropic.RateLimitError);
  });

  it.each([400, 401, 403, 404, 500, 503, 529])('answers %i in the shape of each provider', async (status) => {
    act({ type: 'error', status });
    await expect(chat()).rejects.toMatchObject({ status, error: { message: expect.any(String) } });
    await expect(message()).rejects.toMatchObject({
      status,
      error: { type: 'error', error: { message: expect.any(String) } },
    });
  });

  it('hangs until the client gives up, and says so in the log', async () => {
    act({ type: 'hang' });
    const controller = new AbortController();
    const hanging = openai.chat.completions.create(
      { model: 'gpt-4o', messages },
      { signal: controller.signal },
    );
    await simulator.waitForRequests(1);
    controller.abort();
    await expect(hanging).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    expect(simulator.requests()).toMatchObject([{ seq: 1, api_key_last_four: '1234' }]);
    expect(simulator.requests()[0]?.answer).toBeUndefined();
  });

  it('ends what hangs, is held or delayed when it closes', async () => {
    simulator.script([
      { times: 1, action: { type: 'hang' } },
      { times: 1, action: { type: 'hold' } },
      { latency_ms: 60_000 },
    ]);
    const calls = [chat(), chat(), chat()].map((call) => call.catch((error: unknown) => error));
    await simulator.waitForRequests(3);
    const waiting = simulator.waitForRequests(4);
    const closed = simulator.close();
    await expect(waiting).rejects.toThrow('3 of 4');
    await closed;
    for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(OpenAI.APIConnectionError);
  });

  it.each([undefined, 0, 1, 60, 1_000_000])('cuts a body after %p bytes', async (after_bytes) => {
    act({ type: 'cut', ...(after_bytes === undefined ? {} : { after_bytes }) });
    await expect(chat()).rejects.toThrow();
    await expect(chatStream()).rejects.toThrow();
    await expect(message()).rejects.toThrow();
    for (const { answer } of simulator.requests()) expect(answer?.complete ?? false).toBe(false);
  });

  it('hangs in the middle of a stream', async () => {
    act({ type: 'hang', after_bytes: 400 });
    const stream = await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true });
    const first = await stream[Symbol.asyncIterator]().next();
    expect(first.done).toBe(false);
    stream.controller.abort();
  });

  it('breaks the JSON in the content only', async () => {
    act({ type: 'malformed' });
    const { choices } = await openai.chat.completions.create({
      model: 'gpt-4o',
      messages,
      response_format: format,
    });
    expect(choices[0]?.finish_reason).toBe('stop');
    expect(() => JSON.parse(choices[0]?.message.content ?? '{}') as unknown).toThrow(SyntaxError);
  });

  it('answers garbage with status 200', async () => {
    act({ type: 'garbage' });
    await expect(chat()).rejects.toThrow();
    await expect(chatStream()).rejects.toThrow();
    await expect(message()).rejects.toThrow();
    await expect(
      anthropic.messages.stream({ model: 'claude-sonnet-5', max_tokens: 9, messages }).finalMessage(),
    ).rejects.toThrow();
    expect(simulator.requests()[0]?.answer?.status).toBe(200);
  });

  it('refuses, truncates and recites', async () => {
    act({ type: 'refusal' });
    expect((await chat()).choices[0]?.message).toMatchObject({ content: null, refusal: expect.any(String) });
    const response = await openai.responses.stream({ model: 'gpt-5', input: 'x' }).finalResponse();
    expect(response.output).toMatchObject([{ content: [{ type: 'refusal' }] }]);
    act({ type: 'truncate' });
    expect((await chat()).choices[0]?.finish_reason).toBe('length');
    expect((await message()).stop_reason).toBe('max_tokens');
    act({
      type: 'answer',
      text: 'Exactly this.',
      usage: { input_tokens: 5, cache_read_tokens: 7, output_tokens: 9, reasoning_tokens: 4 },
    });
    expect(await chat()).toMatchObject({
      choices: [{ message: { content: 'Exactly this.' } }],
      usage: {
        prompt_tokens: 12,
        completion_tokens: 9,
        total_tokens: 21,
        prompt_tokens_details: { cached_tokens: 7 },
      },
    });
    act({ type: 'answer', text: 'No usage.', usage: null });
    expect((await chat()).usage).toBeUndefined();
  });

  it('holds requests and lets the oldest go first', async () => {
    act({ type: 'hold', then: { type: 'answer', text: 'Released.' } });
    const order: number[] = [];
    const track = (n: number) => chat().then(() => order.push(n));
    const first = track(1);
    await simulator.waitForRequests(1);
    const second = track(2);
    await simulator.waitForRequests(2);
    expect(simulator.held).toBe(2);
    expect(simulator.release(1)).toBe(1);
    await first;
    expect([order, simulator.held]).toEqual([[1], 1]);
    expect(simulator.release()).toBe(1);
    await second;
    expect(simulator.requests()[1]?.answer).toMatchObject({ status: 200, text: 'Released.', complete: true });
  });

  it('answers as fast as it may where instant', async () => {
    const instant = createSimulator({ instant: true });
    const { url } = await instant.listen();
    const client = openai.withOptions({ baseURL: `${url}/v1` });
    const whole = await client.chat.completions.create({ model: 'gpt-4o', messages });
    const streamed = await client.chat.completions
      .stream({ model: 'gpt-4o', messages })
      .finalChatCompletion();
    expect(whole.choices[0]?.message.content).toBe(streamed.choices[0]?.message.content);
    expect((await client.responses.create({ model: 'x', input: 'x' })).output_text).toContain('answer');
    expect(instant.requests()).toEqual([]);
    await instant.close();
  });
});
