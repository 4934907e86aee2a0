import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Anthropic } from '@anthropic-ai/sdk';
import { OpenAI } from 'openai';
import type { EntityManager } from 'typeorm';
import { costOf, holdAmount, PriceBook } from '#libs/accounting';
import type { AuditLog } from '#libs/access';
import { createDefaultRegistry, LlmError, type LlmAnswer, type LlmRequest } from '#libs/llm';
import { holdBoundsOf } from '../hold-bounds.js';
import { ANTHROPIC_CALLS } from './anthropic-calls.js';
import { NO_USAGE, type GoldenCall } from './golden-call.js';
import { OPENAI_CALLS } from './openai-calls.js';
import { STREAMS } from './streams.js';

/** The day on which the shipped prices were read. */
const PRICES_READ = '2026-11-20T00:00:00Z';
const CALLS = [...OPENAI_CALLS, ...ANTHROPIC_CALLS];

describe('what a call costs, from the bytes that a provider sends to the nano-dollar', () => {
  const registry = createDefaultRegistry();
  const prices = new PriceBook({} as AuditLog);
  let server: Server;
  let url: string;
  let sent: { type: string; text: string };
  let received: Record<string, unknown>;

  beforeAll(async () => {
    server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        received = body;
        response.writeHead(200, { 'content-type': sent.type }).end(sent.text);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  function requestOf({ model, tools }: GoldenCall): LlmRequest {
    return {
      model,
      messages: [{ role: 'user', content: 'How is Ada paid?' }],
      maxTokens: 4_000,
      timeoutMs: 5_000,
      tools: tools && { names: tools, maxUses: 4, vectorStoreIds: ['vs_1'] },
    };
  }

  async function answered(call: GoldenCall, body: object): Promise<LlmAnswer> {
    sent = { type: 'application/json', text: JSON.stringify(body) };
    const credentials = { apiKey: 'sk-golden', baseUrl: `${url}/v1` };
    return registry.byName(call.provider).call(requestOf(call), credentials);
  }

  /** Of a tenant without prices of its own. */
  async function priceOf({ provider, model, at = PRICES_READ }: GoldenCall) {
    const em = { query: () => Promise.resolve([]) } as unknown as EntityManager;
    const price = await prices.find(em, 'tenant', provider, model, new Date(at));
    if (!price) throw new Error(`${provider}/${model} has no price.`);
    return price;
  }

  it.each(CALLS)('$provider, $model: $what', async (call) => {
    const { usage } = await answered(call, call.body);
    expect(usage).toEqual({ ...NO_USAGE, ...call.usage });
    const price = await priceOf(call);
    expect(costOf(price, usage!)).toBe(call.nano);
    // What has no known fee could not have been held for under a limit: it would not have been sent.
    const hold = holdAmount(price, holdBoundsOf(registry.byName(call.provider), requestOf(call)));
    expect(hold === undefined).toBe(call.nano === undefined);
  });

  it('is told without being streamed: no call asks for a stream', async () => {
    for (const call of CALLS) {
      await answered(call, call.body);
      expect([call.what, received['stream'] ?? false]).toEqual([call.what, false]);
    }
  });

  const clients = {
    completion: async () => {
      const openai = new OpenAI({ apiKey: 'sk-golden', baseURL: `${url}/v1`, maxRetries: 0 });
      const asked = { model: 'gpt-5-mini', messages: [], stream_options: { include_usage: true } };
      return openai.chat.completions.stream(asked).finalChatCompletion();
    },
    response: async () => {
      const openai = new OpenAI({ apiKey: 'sk-golden', baseURL: `${url}/v1`, maxRetries: 0 });
      return openai.responses.stream({ model: 'gpt-5', input: 'Hi' }).finalResponse();
    },
    message: async () => {
      const anthropic = new Anthropic({ apiKey: 'sk-golden', baseURL: url, maxRetries: 0 });
      return anthropic.messages
        .stream({ model: 'claude-sonnet-4-6', max_tokens: 9, messages: [] })
        .finalMessage();
    },
  };

  it.each(STREAMS)('is the same where the answer was streamed: $kind', async ({ kind, frames, what }) => {
    const call = CALLS.find((each) => each.what === what)!;
    sent = { type: 'text/event-stream', text: frames };
    const whole = await clients[kind]();
    const { usage } = await answered(call, whole);
    expect(usage).toEqual({ ...NO_USAGE, ...call.usage });
    expect(costOf(await priceOf(call), usage!)).toBe(call.nano);
  });

  it.each(STREAMS)('is unknown, never nothing, where a stream comes unasked: $kind', async (stream) => {
    const call = CALLS.find((each) => each.what === stream.what)!;
    sent = { type: 'text/event-stream', text: stream.frames };
    const credentials = { apiKey: 'sk-golden', baseUrl: `${url}/v1` };
    const error: unknown = await registry
      .byName(call.provider)
      .call(requestOf(call), credentials)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LlmError);
    expect(error).toMatchObject({ kind: 'bad_answer', billing: 'unknown' });
  });
});

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as Record<string, unknown>;
}
