import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { HoldGate } from '../script/hold-gate.js';
import { readRules } from '../script/rules.js';
import type { Script } from '../script/script.js';
import { readBody } from './read-body.js';
import type { RequestLog } from './request-log.js';
import { JSON_TYPE, sendWhole } from './send.js';

export const CONTROL_PREFIX = '/_simulator';
const LONGEST_WAIT_MS = 600_000;
const USUAL_WAIT_MS = 30_000;

export interface ControlApiParts {
  script: Script;
  gate: HoldGate;
  log: RequestLog;
  closing: AbortSignal;
}

interface Outcome {
  status: number;
  body: unknown;
}

type Call = (query: URLSearchParams, body: unknown, gone: AbortSignal) => Outcome | Promise<Outcome>;

/** The simulator's own API, for this machine only: script, held requests, log. */
export class ControlApi {
  private readonly calls: Record<string, Call>;

  constructor(private readonly parts: ControlApiParts) {
    this.calls = {
      'POST /script': (_query, body) => this.setScript(body),
      'DELETE /script': () => this.cleared(() => parts.script.clear()),
      'GET /requests': (query) => this.requests(query),
      'DELETE /requests': () => this.cleared(() => parts.log.clear()),
      'GET /requests/wait': (query, _body, gone) => this.wait(query, gone),
      'POST /release': (_query, body) => this.release(body),
    };
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req);
    if (!body) return;
    const url = new URL(req.url ?? '/', 'http://simulator');
    const call = this.calls[`${req.method ?? ''} ${url.pathname.slice(CONTROL_PREFIX.length)}`];
    const outcome = !isLocal(req)
      ? problem(403, 'The control API answers this machine only, and no web page.')
      : !call
        ? problem(
            404,
            `There is no such call; there are ${Object.keys(this.calls).join(', ')} under ${CONTROL_PREFIX}.`,
          )
        : await this.run(call, url.searchParams, body.text, res);
    if (!res.destroyed)
      sendWhole(res, { status: outcome.status, headers: JSON_TYPE, body: JSON.stringify(outcome.body) });
  }

  private async run(call: Call, query: URLSearchParams, text: string, res: ServerResponse): Promise<Outcome> {
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    try {
      return await call(query, text === '' ? undefined : JSON.parse(text), gone.signal);
    } catch (error) {
      if (error instanceof TypeError || error instanceof SyntaxError) return problem(400, error.message);
      throw error;
    }
  }

  private setScript(body: unknown): Outcome {
    const { rules, append } = Array.isArray(body)
      ? { rules: body as unknown, append: false }
      : membersOf(body);
    this.parts.script.set(readRules(rules), append === true);
    return { status: 200, body: { rules: (rules as unknown[]).length } };
  }

  private cleared(clear: () => void): Outcome {
    clear();
    return { status: 200, body: {} };
  }

  private requests(query: URLSearchParams): Outcome {
    const items = this.parts.log.list(wholeNumber(query, 'after', 0));
    return { status: 200, body: { items, received: this.parts.log.received, held: this.parts.gate.size } };
  }

  private async wait(query: URLSearchParams, gone: AbortSignal): Promise<Outcome> {
    const count = wholeNumber(query, 'count', 1);
    const limit = AbortSignal.timeout(
      Math.min(wholeNumber(query, 'timeout_ms', USUAL_WAIT_MS), LONGEST_WAIT_MS),
    );
    const reached = await this.parts.log.wait(count, AbortSignal.any([gone, limit, this.parts.closing]));
    const { received } = this.parts.log;
    return reached
      ? { status: 200, body: { received } }
      : problem(408, `Only ${received} of ${count} requests came in time.`);
  }

  private release(body: unknown): Outcome {
    const { count } = membersOf(body ?? {});
    if (count !== undefined && !(typeof count === 'number' && count >= 0))
      throw new TypeError('count: must be a number that is not negative.');
    return { status: 200, body: { released: this.parts.gate.release(count) } };
  }
}

function problem(status: number, message: string): Outcome {
  return { status, body: { error: { message } } };
}

function membersOf(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new TypeError('The body must be a JSON object.');
  return body as Record<string, unknown>;
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number): number {
  const given = query.get(name);
  if (given === null) return fallback;
  if (!/^\d{1,15}$/.test(given)) throw new TypeError(`${name}: must be a whole number.`);
  return Number(given);
}

/** From this machine, under its own name (a page on a rebound name is not), and not by a web page. */
function isLocal(req: IncomingMessage): boolean {
  const host = /^(?:\[([^\]]+)\]|([^:]*))(?::\d+)?$/.exec(req.headers.host ?? '');
  const name = host?.[1] ?? host?.[2] ?? '';
  return (
    req.headers.origin === undefined &&
    isLoopback(req.socket.remoteAddress ?? '') &&
    (name === 'localhost' || isLoopback(name))
  );
}

export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}
