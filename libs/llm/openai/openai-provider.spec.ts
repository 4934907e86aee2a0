import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { LlmError } from '../llm-error.js';
import type { LlmRequest } from '../llm-provider.js';
import { OpenAiProvider } from './openai-provider.js';

const apiKey = 'sk-proj-4f9aQ2zX81LmNoPq';
const prompt = 'The salary of Ada Lovelace is 90000.';
const request: LlmRequest = {
  model: 'gpt-4.1-mini',
  messages: [{ role: 'user', content: prompt }],
  maxTokens: 50,
  timeoutMs: 5_000,
};
const usage = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 };
const buckets = { input: 19, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 10, toolCalls: {} };

function completion(message: object, finishReason: string | null = 'stop'): object {
  const choices = [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finishReason }];
  return { id: 'chatcmpl-1', object: 'chat.completion', model: 'gpt-4.1-mini-2025-04-14', choices, usage };
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

async function errorOf(calling: Promise<unknown>): Promise<LlmError> {
  const error: unknown = await calling.catch((caught: unknown) => caught);
  if (!(error instanceof LlmError)) throw new Error(`expected an LlmError, not ${inspect(error)}`);
  return error;
}

describe('OpenAiProvider', () => {
  const provider = new OpenAiProvider({ name: 'openai_compatible', label: 'OpenAI-compatible server' });
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
        answer(response, incoming);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  });
  beforeEach(() => {
    received = [];
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const call = (changes: Partial<LlmRequest> = {}, url = baseUrl) =>
    provider.call({ ...request, ...changes }, { apiKey, baseUrl: url });
  const failure = async (changes: Partial<LlmRequest> = {}, url = baseUrl): Promise<LlmError> =>
    errorOf(call(changes, url));

  describe('answers', () => {
    it('reads text, usage, model and id', async () => {
      answer = json(completion({ content: 'Well paid.' }), 200, { 'x-request-id': 'req_123' });
      expect(await call()).toEqual({
        text: 'Well paid.',
        stopReason: 'stop',
        usage: buckets,
        model: 'gpt-4.1-mini-2025-04-14',
        requestId: 'req_123',
        durationMs: expect.any(Number),
      });
    });

    it('makes one request, with these headers and no others of its own', async () => {
      process.env.OPENAI_CUSTOM_HEADERS = 'x-internal: secret';
      process.env.OPENAI_ORG_ID = 'org-internal';
      answer = json(completion({ content: '' }));
      try {
        await provider.call(request, { apiKey: 'another-key', baseUrl });
      } finally {
        delete process.env.OPENAI_CUSTOM_HEADERS;
        delete process.env.OPENAI_ORG_ID;
      }
      expect(received).toHaveLength(1);
      const { headers, method, url } = received[0]!.request;
      expect({ method, url }).toEqual({ method: 'POST', url: '/v1/chat/completions' });
      expect(headers.authorization).toBe('Bearer another-key');
      expect(Object.keys(headers).filter((name) => /^(x-|openai)/.test(name))).toEqual([]);
      expect(JSON.parse(received[0]!.body)).toMatchObject({ model: 'gpt-4.1-mini', max_tokens: 50 });
    });

    it.each([
      ['length', { content: 'cut' }, 'length', 'length', 'cut'],
      ['a content filter', { content: null }, 'content_filter', 'refusal', ''],
      ['a refusal', { content: null, refusal: 'I cannot.' }, 'stop', 'refusal', 'I cannot.'],
      ['no reason', { content: 'x' }, null, 'other', 'x'],
      ['a strange reason', { content: 'x' }, 'constructor', 'other', 'x'],
      [
        'parts',
        {
          content: [
            { type: 'thinking', thinking: [] },
            { type: 'text', text: 'x' },
          ],
        },
        'stop',
        'stop',
        'x',
      ],
    ])(
      'reads an answer that ends with %s, usage included',
      async (_what, message, reason, stopReason, text) => {
        answer = json(completion(message, reason));
        expect(await call()).toMatchObject({ stopReason, text, usage: buckets });
      },
    );

    it('reads JSON whatever its content type, compressed and in pieces', async () => {
      const body = gzipSync(JSON.stringify(completion({ content: 'größer' })));
      answer = (response) => {
        response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' });
        response.write(body.subarray(0, 40));
        response.end(body.subarray(40));
      };
      expect(await call()).toMatchObject({ text: 'größer' });
    });

    it('has no usage rather than a false one', async () => {
      answer = json({ ...completion({ content: 'x' }), usage: { prompt_tokens: -1, completion_tokens: 1 } });
      expect((await call()).usage).toBeUndefined();
    });

    it('keeps no id that is not one', async () => {
      answer = json(completion({ content: 'x' }), 200, { 'x-request-id': '<script>' });
      expect((await call()).requestId).toBeUndefined();
    });
  });

  describe('error statuses', () => {
    const error = (fields: object) => ({ error: { message: 'No.', ...fields } });

    it.each([
      [500, {}, 'server', true],
      [503, {}, 'server', true],
      [529, {}, 'server', true],
      [409, {}, 'server', true],
      [429, error({ code: 'rate_limit_exceeded' }), 'rate_limit', true],
      [429, error({ type: 'insufficient_quota', code: 'insufficient_quota' }), 'quota', false],
      [402, error({}), 'quota', false],
      [401, error({ code: 'invalid_api_key' }), 'authentication', false],
      [403, error({}), 'permission', false],
      [400, error({ type: 'invalid_request_error', code: null }), 'invalid_request', false],
      [400, error({ code: 'content_filter' }), 'content_refusal', false],
      [400, error({ code: 'invalid_prompt' }), 'content_refusal', false],
      [404, error({ code: 'model_not_found' }), 'invalid_request', false],
      [413, {}, 'invalid_request', false],
      [422, { detail: [{ msg: 'no', input: prompt }] }, 'invalid_request', false],
    ])('%d %j is %s', async (status, body, kind, retryable) => {
      answer = json(body, status, { 'x-request-id': 'req_9' });
      const failed = await failure();
      expect(failed).toMatchObject({
        kind,
        retryable,
        billing: 'none',
        httpStatus: status,
        requestId: 'req_9',
      });
      expect(failed.code).toBe(`provider_${kind}`);
      expect(failed.message).toContain('OpenAI-compatible server');
      expect(received).toHaveLength(1);
    });

    it.each([408, 502, 504, 520, 521, 522, 523, 524])(
      '%d is retried, and nobody knows what it cost',
      async (status) => {
        answer = json({}, status);
        expect(await failure()).toMatchObject({ kind: 'server', retryable: true, billing: 'unknown' });
      },
    );

    it('names the host of an address that a tenant gave, and of no other', async () => {
      answer = json({}, 500);
      const ofTenant = await errorOf(provider.call(request, { apiKey, baseUrl, mayConnect: () => true }));
      expect(ofTenant.message).toContain(`OpenAI-compatible server (${new URL(baseUrl).host}) failed`);
      expect((await failure()).message).toContain('OpenAI-compatible server failed');
    });

    it('waits as long as the provider asks', async () => {
      answer = json({}, 429, { 'retry-after': '20' });
      expect(await failure()).toMatchObject({
        retryAfterMs: 20_000,
        message: expect.stringContaining('another 20 s'),
      });
      answer = json({}, 503, { 'retry-after-ms': '1500' });
      expect(await failure()).toMatchObject({ kind: 'server', retryAfterMs: 1500 });
    });

    it.each([
      ['an OpenAI error', { error: { message: 'Unknown parameter.' } }],
      ['an Ollama error', { error: 'Unknown parameter.' }],
      ['a Mistral error', { object: 'error', message: 'Unknown parameter.' }],
      ['a FastAPI error', { detail: 'Unknown parameter.' }],
    ])('passes on what %s says', async (_what, body) => {
      answer = json(body, 400);
      expect((await failure()).message).toMatch(/check model and parameters\. It says: Unknown parameter\.$/);
    });

    it('passes on no HTML page', async () => {
      answer = (response) =>
        response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>');
      expect((await failure()).message).toMatch(/\(HTTP 502\)\.$/);
    });

    it('follows no redirect', async () => {
      answer = (response) => response.writeHead(307, { location: `${baseUrl}/elsewhere` }).end();
      expect(await failure()).toMatchObject({
        kind: 'invalid_request',
        message: expect.stringContaining('final address'),
      });
      expect(received).toHaveLength(1);
    });
  });

  describe('secrets', () => {
    it.each([401, 400, 500, 429])(
      'shows neither key nor prompt of a %d, however it is printed',
      async (status) => {
        const message = `Incorrect API key provided: ${apiKey} (sk-proj-****NoPq) for "${prompt}"`;
        answer = json({ error: { message, code: apiKey } }, status, { 'x-echo': apiKey });
        const failed = await failure();
        const printed = `${inspect(failed, { depth: 10, showHidden: true })}${JSON.stringify(failed)}${failed.stack}`;
        expect(failed.message).toContain('[key]');
        expect(printed).not.toContain(apiKey);
        expect(printed).not.toContain('NoPq');
        expect(printed).not.toContain('Lovelace');
        expect(failed.cause).toBeUndefined();
      },
    );

    it('refuses a key that no header can hold, without showing it', async () => {
      for (const bad of ['', 'sk-abc\ndef', 'schlüssel', 'sk abc']) {
        const failed: unknown = await provider
          .call(request, { apiKey: bad, baseUrl })
          .catch((error: unknown) => error);
        expect(failed).toMatchObject({ kind: 'authentication', billing: 'none' });
        if (bad) expect(inspect(failed, { showHidden: true })).not.toContain(bad);
      }
      expect(received).toHaveLength(0);
    });

    it('shows no answer that it cannot use', async () => {
      answer = (response) => response.end('{"choices": [{"message": {"content": "Ada earns');
      expect(inspect(await failure(), { depth: 10, showHidden: true })).not.toContain('Ada');
    });
  });

  describe('answers of no use', () => {
    it.each<[string, Answer]>([
      [
        'not JSON',
        (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
      ],
      ['cut JSON', (response) => response.end('{"choices": [')],
      ['nothing', (response) => response.end()],
      ['no content', (response) => response.writeHead(204).end()],
      ['null', json(null)],
      ['no choices', json({ choices: [] })],
      ['a choice without a message', json({ choices: [{ message: null }] })],
      ['content that is not text', json(completion({ content: { a: 1 } }))],
      ['HTTP that is none', (response) => response.socket?.end('nonsense\r\n\r\n')],
      [
        'gzip that is none',
        (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('plain'),
      ],
    ])('%s is a bad answer', async (_what, sent) => {
      answer = sent;
      expect(await failure()).toMatchObject({ kind: 'bad_answer', retryable: true, billing: 'unknown' });
    });

    it('is not read without end', async () => {
      answer = (response) => {
        const chunk = Buffer.alloc(1024 * 1024, 0x20);
        const write = () => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on('drain', write).on('error', () => undefined);
        write();
      };
      expect(await failure({ timeoutMs: 60_000 })).toMatchObject({
        kind: 'bad_answer',
        message: expect.stringContaining('ANSWER_TOO_LARGE'),
      });
    });

    it('keeps the usage and the reason that a gateway gives', async () => {
      answer = json({ error: { message: 'Upstream is gone.' }, usage });
      expect(await failure()).toMatchObject({
        kind: 'bad_answer',
        usage: buckets,
        message: expect.stringContaining('It says: Upstream is gone.'),
      });
    });
  });

  describe('time and connection', () => {
    it.each<[string, Answer]>([
      ['never answers', () => undefined],
      ['stops in the body', (response) => response.writeHead(200, { 'content-length': '100' }).write('{')],
    ])('times out on a server that %s', async (_what, sent) => {
      answer = sent;
      expect(await failure({ timeoutMs: 50 })).toMatchObject({
        kind: 'timeout',
        retryable: true,
        billing: 'unknown',
        message: expect.stringContaining('within 0.05 s'),
      });
    });

    it('stops when the caller does, and does not know the cost', async () => {
      const stop = new AbortController();
      answer = () => stop.abort();
      expect(await failure({ signal: stop.signal })).toMatchObject({
        kind: 'connection',
        billing: 'unknown',
      });
    });

    it('sends nothing when the caller has already stopped', async () => {
      expect(await failure({ signal: AbortSignal.abort() })).toMatchObject({
        kind: 'connection',
        billing: 'none',
      });
      expect(received).toHaveLength(0);
    });

    it.each<[string, Answer]>([
      ['before the headers', (response) => response.socket?.destroy()],
      ['before the headers, with a reset', (response) => response.socket?.resetAndDestroy()],
      [
        'in a body of known length',
        (response) => {
          response.writeHead(200, { 'content-length': '100' });
          response.write('{"choices": [', () => response.socket?.destroy());
        },
      ],
      [
        'in a body in pieces',
        (response) => {
          response.writeHead(200);
          response.write('{"choices": [', () => response.socket?.destroy());
        },
      ],
    ])('does not know the cost of a connection that breaks %s', async (_what, sent) => {
      answer = sent;
      expect(await failure()).toMatchObject({ kind: 'connection', retryable: true, billing: 'unknown' });
    });

    it('knows that a refused connection cost nothing', async () => {
      const closed = createServer().listen(0, '127.0.0.1');
      await once(closed, 'listening');
      const { port } = closed.address() as AddressInfo;
      closed.close();
      await once(closed, 'close');
      const failed = await failure({}, `http://127.0.0.1:${port}`);
      expect(failed).toMatchObject({ kind: 'connection', billing: 'none', retryable: true });
      expect(failed.message).toContain('ECONNREFUSED');
    });

    it('knows that a host name that cannot be one cost nothing', async () => {
      expect(await failure({}, `http://${'x'.repeat(64)}.invalid/v1`)).toMatchObject({
        kind: 'connection',
        billing: 'none',
      });
    });

    it('knows that a connection without TLS cost nothing', async () => {
      expect(await failure({}, baseUrl.replace('http:', 'https:'))).toMatchObject({
        kind: 'connection',
        billing: 'none',
      });
    });

    it('needs a base URL', async () => {
      await expect(provider.call(request, { apiKey })).rejects.toMatchObject({
        kind: 'invalid_request',
        billing: 'none',
        message: expect.stringContaining('needs a base_url'),
      });
    });

    it('refuses a time that is none', async () => {
      await expect(call({ timeoutMs: 0 })).rejects.toBeInstanceOf(RangeError);
    });
  });

  describe('testConnection', () => {
    it('is content with a list of models', async () => {
      answer = json({ object: 'list', data: [] });
      await expect(provider.testConnection({ apiKey, baseUrl })).resolves.toBeUndefined();
      expect(received[0]!.request).toMatchObject({ method: 'GET', url: '/v1/models' });
    });

    it.each<[string, Answer, string]>([
      ['a wrong key', json({ error: { message: 'No.' } }, 401), 'provider_authentication'],
      ['a wrong path', json({}, 404), 'provider_invalid_request'],
      ['another kind of server', (response) => response.end('<h1>Welcome</h1>'), 'provider_bad_answer'],
      ['a list that is none', json({ data: {} }), 'provider_bad_answer'],
    ])('reports %s', async (_what, sent, code) => {
      answer = sent;
      await expect(provider.testConnection({ apiKey, baseUrl })).rejects.toMatchObject({ code });
    });
  });
});
