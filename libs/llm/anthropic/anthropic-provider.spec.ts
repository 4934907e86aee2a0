import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { LlmError } from '../llm-error.js';
import type { LlmRequest } from '../llm-provider.js';
import { AnthropicProvider } from './anthropic-provider.js';

const apiKey = 'sk-ant-4f9aQ2zX81LmNoPq';
const prompt = 'The salary of Ada Lovelace is 90000.';
const request: LlmRequest = {
  model: 'claude-sonnet-5',
  messages: [{ role: 'user', content: prompt }],
  maxTokens: 50,
  timeoutMs: 5_000,
};
const usage = { input_tokens: 19, output_tokens: 10 };
const buckets = { input: 19, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 10, toolCalls: {} };

const message = (content: unknown, stop_reason = 'end_turn', more: object = {}): object => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-5-20260301',
  content,
  stop_reason,
  usage,
  ...more,
});
const text = (said: string) => [{ type: 'text', text: said }];

type Answer = (response: ServerResponse) => void;

const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const fault = (status: number, type: string, said: string, headers = {}): Answer =>
  json({ type: 'error', error: { type, message: said }, request_id: 'req_1' }, status, headers);

describe('AnthropicProvider', () => {
  const provider = new AnthropicProvider();
  let server: Server;
  let baseUrl: string;
  let answer: Answer;
  let received: { request: IncomingMessage; body: string }[] = [];

  beforeAll(async () => {
    server = createServer((incoming, response) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
      incoming.on('end', () => {
        received.push({ request: incoming, body });
        answer(response);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    received = [];
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const call = (changes: Partial<LlmRequest> = {}) =>
    provider.call({ ...request, ...changes }, { apiKey, baseUrl });
  const failure = async (made: Promise<unknown> = call()): Promise<LlmError> => {
    const error: unknown = await made.catch((caught: unknown) => caught);
    if (!(error instanceof LlmError)) throw new Error(`expected an LlmError, not ${inspect(error)}`);
    return error;
  };

  it('reads text, usage, model and id', async () => {
    answer = json(message(text('Well paid.')), 200, { 'request-id': 'req_123' });
    expect(await call()).toEqual({
      text: 'Well paid.',
      stopReason: 'stop',
      usage: buckets,
      model: 'claude-sonnet-5-20260301',
      requestId: 'req_123',
      durationMs: expect.any(Number),
    });
  });

  it('makes one request, whichever way the address is written, with nothing from the environment', async () => {
    process.env['ANTHROPIC_CUSTOM_HEADERS'] = 'x-internal: secret';
    process.env['ANTHROPIC_AUTH_TOKEN'] = 'internal';
    answer = json(message(text('')));
    try {
      await new AnthropicProvider().call(request, { apiKey, baseUrl: `${baseUrl}/v1` });
      await new AnthropicProvider().call(request, { apiKey, baseUrl });
    } finally {
      delete process.env['ANTHROPIC_CUSTOM_HEADERS'];
      delete process.env['ANTHROPIC_AUTH_TOKEN'];
    }
    expect(received).toHaveLength(2);
    for (const { request: made } of received) {
      expect([made.method, made.url]).toEqual(['POST', '/v1/messages']);
      const named = Object.keys(made.headers).filter((name) => /^(x-|anthropic|authorization)/.test(name));
      expect(named.sort()).toEqual(['anthropic-version', 'authorization']);
      expect(made.headers.authorization).toBe(`Bearer ${apiKey}`);
    }
  });

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['refusal', 'refusal'],
    ['tool_use', 'other'],
    ['constructor', 'other'],
  ])('takes %s for %s', async (reason, stopReason) => {
    answer = json(message(text('x'), reason));
    expect(await call()).toMatchObject({ stopReason, text: 'x', usage: buckets });
  });

  it('says of a refusal why, where it is told', async () => {
    answer = json(message([], 'refusal', { stop_details: { type: 'refusal', explanation: 'No.' } }));
    expect(await call()).toMatchObject({ stopReason: 'refusal', text: 'No.' });
  });

  it('hands on a paused turn as it came, and goes on with it', async () => {
    const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'abc' };
    answer = json(message([thinking, ...text('First, ')], 'pause_turn'));
    const paused = await call();
    expect(paused).toMatchObject({
      stopReason: 'pause',
      continuation: { content: [thinking, ...text('First, ')] },
    });

    answer = json(message(text('then.')));
    const done = await call({ continuation: paused.continuation });
    expect(done).toMatchObject({ stopReason: 'stop', text: 'First, then.' });
    expect(done).not.toHaveProperty('continuation');
    expect(JSON.parse(received[1]!.body).messages).toEqual([
      { role: 'user', content: prompt },
      { role: 'assistant', content: [thinking, ...text('First, ')] },
    ]);
  });

  it.each([
    ['authentication', fault(401, 'authentication_error', 'invalid x-api-key')],
    ['quota', fault(402, 'billing_error', 'Your credit balance is too low.')],
    ['quota', fault(400, 'invalid_request_error', 'Your credit balance is too low to access the API.')],
    ['permission', fault(403, 'permission_error', 'no')],
    ['invalid_request', fault(400, 'invalid_request_error', 'no')],
    ['invalid_request', fault(404, 'not_found_error', 'model: claude-x')],
    ['invalid_request', fault(413, 'request_too_large', 'no')],
    ['rate_limit', fault(429, 'rate_limit_error', 'slower')],
    ['server', fault(500, 'api_error', 'oops')],
    ['server', fault(529, 'overloaded_error', 'Overloaded')],
  ])('knows the error %s, which is not billed', async (kind, given) => {
    answer = given;
    expect(await failure()).toMatchObject({ kind, billing: 'none' });
    expect(received).toHaveLength(1);
  });

  it('knows of a time-out on the way there that it may be billed', async () => {
    answer = fault(504, 'timeout_error', 'oops');
    expect(await failure()).toMatchObject({ kind: 'server', billing: 'unknown' });
  });

  it('says how long to wait', async () => {
    answer = fault(429, 'rate_limit_error', 'slower', { 'retry-after': '7' });
    expect(await failure()).toMatchObject({ kind: 'rate_limit', retryAfterMs: 7_000 });
  });

  it('quotes neither the key nor the prompt', async () => {
    answer = fault(400, 'invalid_request_error', `bad key ${apiKey}, bad prompt: ${prompt}`);
    const { message: said } = await failure();
    expect(said).toContain('It says:');
    expect(said).not.toContain(apiKey);
    expect(said).not.toContain('Lovelace');
  });

  it('gives up at the deadline, not knowing what it cost', async () => {
    answer = () => undefined;
    expect(await failure(call({ timeoutMs: 50 }))).toMatchObject({ kind: 'timeout', billing: 'unknown' });
  });

  it.each([
    ['no JSON', (response: ServerResponse) => response.end('<html>'), 'not JSON'],
    ['no content', json({ error: { message: 'upstream is down' } }), 'upstream is down'],
  ])('refuses an answer with %s', async (_what, given, said) => {
    answer = given as Answer;
    const error = await failure();
    expect(error).toMatchObject({ kind: 'bad_answer', billing: 'unknown' });
    expect(error.message).toContain(said);
  });

  it('tests a key with the list of models', async () => {
    answer = json({ data: [], has_more: false });
    await provider.testConnection({ apiKey, baseUrl });
    expect(received[0]!.request).toMatchObject({ method: 'GET', url: '/v1/models' });
    answer = fault(401, 'authentication_error', 'invalid x-api-key');
    expect(await failure(provider.testConnection({ apiKey, baseUrl }))).toMatchObject({
      kind: 'authentication',
    });
    expect(await failure(provider.testConnection({ apiKey: 'a b', baseUrl }))).toMatchObject({
      kind: 'authentication',
      billing: 'none',
    });
  });

  it('sends no temperature, and warns of one that is configured', () => {
    expect(provider.asSent({ ...request, temperature: 0.3 }).temperature).toBeUndefined();
    expect(provider.warnings({ model: 'claude-sonnet-5', temperature: 0.3 })).toEqual([
      expect.stringContaining('temperature of 0.3 is not sent'),
    ]);
    expect(provider.warnings({ model: 'claude-sonnet-5' })).toEqual([]);
  });
});
