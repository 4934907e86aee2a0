import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HoldGate } from '../script/hold-gate.js';
import { makeReply } from '../script/make-reply.js';
import type { ScriptAction } from '../script/rules.js';
import type { Script } from '../script/script.js';
import { anthropicMessages } from '../wires/anthropic-messages.js';
import { anthropicModels, openaiModels } from '../wires/models.js';
import { openaiChat } from '../wires/openai-chat.js';
import { openaiResponses } from '../wires/openai-responses.js';
import { Fault, frame, type Ask, type JsonObject, type Reply, type Wire } from '../wires/wire.js';
import { scriptedFault } from './faults.js';
import { readBody, type Body } from './read-body.js';
import type { ReceivedRequest, RequestLog } from './request-log.js';
import { JSON_TYPE, sendPart, sendWhole, STREAM_TYPE, type Outgoing } from './send.js';

export interface ProviderApiParts {
  script: Script;
  gate: HoldGate;
  log: RequestLog;
  latencyMs: number;
  badKeys: ReadonlySet<string>;
  /** Aborts when the simulator closes: what hangs or is held ends then. */
  closing: AbortSignal;
}

/** One request on its way through the simulator. */
interface Exchange {
  res: ServerResponse;
  wire: Wire;
  requestId: string;
  entry: ReceivedRequest;
  /** Aborts when the client goes away or the simulator closes. */
  gone: AbortSignal;
}

const WIRES = new Map([openaiChat, openaiResponses, anthropicMessages].map((wire) => [wire.path, wire]));
const MODELS = '/v1/models';
const GARBAGE = '<html><head><title>502 Bad Gateway</title></head><body>upstream connect error</body></html>';

/** The providers' API: everything outside the control paths. */
export class ProviderApi {
  private requests = 0;

  constructor(private readonly parts: ProviderApiParts) {}

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '/').split('?')[0] ?? '/';
    const body = await readBody(req);
    if (!body) return;
    const anthropic =
      req.headers['anthropic-version'] !== undefined || req.headers['x-api-key'] !== undefined;
    const wire = WIRES.get(path) ?? (anthropic ? anthropicMessages : openaiChat);
    const requestId = `req_${(++this.requests).toString(36).padStart(12, '0')}`;
    const { parsed, entry } = this.received(req, path, body, wire);
    const exchange = { res, wire, requestId, entry, gone: this.goneSignal(res, entry) };
    try {
      refuseRoute(req.method ?? '', path);
      const key = this.keyOf(req, wire);
      if (path === MODELS) this.sendModels(exchange, anthropic);
      else await this.answer(exchange, readAsk(req, body, parsed, wire), key);
    } catch (error) {
      if (exchange.gone.aborted) res.destroy();
      else if (error instanceof Fault) this.refuse(exchange, error);
      else throw error;
    }
  }

  private received(
    req: IncomingMessage,
    path: string,
    body: Body,
    wire: Wire,
  ): { parsed: unknown; entry: ReceivedRequest } {
    const parsed = parse(body.text);
    const entry = this.parts.log.add(
      {
        time: new Date().toISOString(),
        method: req.method ?? '',
        path,
        api_key_last_four: lastFour(req, wire),
        body: parsed === undefined ? body.text.slice(0, 1000) : parsed,
      },
      body.bytes,
    );
    return { parsed, entry };
  }

  private goneSignal(res: ServerResponse, entry: ReceivedRequest): AbortSignal {
    const controller = new AbortController();
    const end = () => controller.abort();
    if (this.parts.closing.aborted) end();
    this.parts.closing.addEventListener('abort', end);
    res.once('close', () => {
      this.parts.closing.removeEventListener('abort', end);
      entry.disconnected = !res.writableFinished;
      controller.abort();
    });
    return controller.signal;
  }

  private keyOf(req: IncomingMessage, wire: Wire): string {
    const key = wire.keyOf(req.headers);
    if (this.parts.badKeys.has(key)) throw wire.badKey(key);
    return key;
  }

  private async answer(exchange: Exchange, ask: Ask, key: string): Promise<void> {
    const rule = this.parts.script.take(ask, key);
    let action = rule?.action;
    if (action?.type === 'hold') {
      await this.parts.gate.wait(exchange.gone);
      action = action.then;
    }
    const latency = rule?.latency_ms ?? this.parts.latencyMs;
    if (latency > 0) await sleep(latency, undefined, { signal: exchange.gone });
    exchange.gone.throwIfAborted();
    await this.perform(exchange, ask, action);
  }

  private async perform(exchange: Exchange, ask: Ask, action: ScriptAction | undefined): Promise<void> {
    switch (action?.type) {
      case 'rate_limit':
        throw scriptedFault(429, undefined, action.retry_after_s);
      case 'error':
        throw scriptedFault(action.status, action.message, action.retry_after_s);
      case 'hang':
        if (action.after_bytes !== undefined)
          await sendPart(exchange.res, this.reply(exchange, ask, action), action.after_bytes);
        return aborted(exchange);
      case 'cut':
        if (action.after_bytes !== 0)
          await sendPart(exchange.res, this.reply(exchange, ask, action), action.after_bytes);
        exchange.res.destroy();
        return;
      case 'garbage':
        exchange.entry.answer = { status: 200, text: GARBAGE, usage: null, complete: false };
        return sendWhole(exchange.res, this.garbage(exchange, ask), exchange.entry);
      default:
        sendWhole(exchange.res, this.reply(exchange, ask, action), exchange.entry);
    }
  }

  private reply(exchange: Exchange, ask: Ask, action: ScriptAction | undefined): Outgoing {
    const reply: Reply = makeReply(ask, action);
    const { wire, requestId, entry } = exchange;
    entry.answer = { status: 200, text: reply.text, usage: reply.usage, complete: false };
    const turn = { ask, reply, id: requestId.slice('req_'.length), created: Math.floor(Date.now() / 1000) };
    const headers = wire.headers(requestId);
    if (ask.stream) return { status: 200, headers: { ...headers, ...STREAM_TYPE }, body: wire.frames(turn) };
    return { status: 200, headers: { ...headers, ...JSON_TYPE }, body: JSON.stringify(wire.document(turn)) };
  }

  private garbage({ wire, requestId }: Exchange, ask: Ask): Outgoing {
    const headers = { ...wire.headers(requestId), ...(ask.stream ? STREAM_TYPE : JSON_TYPE) };
    return {
      status: 200,
      headers,
      body: ask.stream ? [frame(GARBAGE, wire === anthropicMessages ? 'message_start' : undefined)] : GARBAGE,
    };
  }

  private sendModels({ res, wire, requestId, entry }: Exchange, anthropic: boolean): void {
    const body = JSON.stringify(anthropic ? anthropicModels() : openaiModels());
    entry.answer = { status: 200, text: '', usage: null, complete: false };
    sendWhole(res, { status: 200, headers: { ...wire.headers(requestId), ...JSON_TYPE }, body }, entry);
  }

  private refuse({ res, wire, requestId, entry }: Exchange, fault: Fault): void {
    entry.answer = { status: fault.status, text: fault.message, usage: null, complete: false };
    const headers = { ...wire.headers(requestId), ...JSON_TYPE, ...fault.details.headers };
    sendWhole(
      res,
      { status: fault.status, headers, body: JSON.stringify(wire.fault(fault, requestId)) },
      entry,
    );
  }
}

function refuseRoute(method: string, path: string): void {
  if (!WIRES.has(path) && path !== MODELS) throw new Fault(404, `Invalid URL (${method} ${path})`);
  if (method !== (path === MODELS ? 'GET' : 'POST')) {
    throw new Fault(405, `Not allowed to ${method} on ${path}.`, { code: 'method_not_supported' });
  }
}

function readAsk(req: IncomingMessage, body: Body, parsed: unknown, wire: Wire): Ask {
  if (body.tooLarge) throw new Fault(413, 'Request exceeds the maximum size of 10 MB.');
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new Fault(400, 'We could not parse the JSON body of your request. The API expects a JSON object.');
  }
  return wire.read(parsed as JsonObject, req.headers);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The caller refuses it in the provider's words.
    return undefined;
  }
}

function lastFour(req: IncomingMessage, wire: Wire): string | null {
  try {
    return wire.keyOf(req.headers).slice(-4);
  } catch {
    return null;
  }
}

function aborted({ res, gone }: Exchange): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      res.destroy();
      resolve();
    };
    if (gone.aborted) end();
    else gone.addEventListener('abort', end);
  });
}
