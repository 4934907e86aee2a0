import { once, setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HoldGate } from './script/hold-gate.js';
import type { ScriptRule } from './script/rules.js';
import { Script } from './script/script.js';
import { CONTROL_PREFIX, ControlApi } from './server/control-api.js';
import { InstantApi } from './server/instant-api.js';
import { ProviderApi } from './server/provider-api.js';
import { RequestLog, type ReceivedRequest } from './server/request-log.js';

export interface SimulatorOptions {
  /** Wait before every answer, in milliseconds; default 0. */
  latencyMs?: number;
  /** Seed of the rules with a probability; default 1. */
  seed?: number;
  /** Whether requests are kept for {@link Simulator.requests}; default true. */
  log?: boolean;
  /** Most requests kept; default 1,000. Their bodies are at most 64 MB together. */
  maxLog?: number;
  /** API keys answered with 401; default `bad-key`, `sk-invalid`, `sk-ant-invalid`. */
  badKeys?: string[];
  /** Whether the HTTP control API is there; default true. */
  control?: boolean;
  /** One fixed answer to every request, with no checks, script or log: for benches. Default false. */
  instant?: boolean;
}

/** A provider of language models that is none: see {@link createSimulator}. */
export interface Simulator {
  /** Starts to listen; port 0 is any free one. Rejects where the port is taken. */
  listen(port?: number, host?: string): Promise<{ url: string; port: number }>;
  /** Replaces the rules in force; `append` puts further ones behind them. Throws TypeError that names what is wrong. */
  script(rules: ScriptRule[], options?: { append?: boolean }): void;
  clearScript(): void;
  /** The requests kept, oldest first; those after a sequence number where one is given. */
  requests(after?: number): ReceivedRequest[];
  /** Forgets all requests; {@link waitForRequests} counts from zero again. */
  clearRequests(): void;
  /** Resolves with the requests kept when `count` have been received since the start or the last clearing; rejects on close. */
  waitForRequests(count: number): Promise<ReceivedRequest[]>;
  /** Lets the oldest `count` held requests go (default: all) and returns how many there were. */
  release(count?: number): number;
  /** How many requests are held. */
  readonly held: number;
  /** Stops: held, delayed and hanging requests are cut, answers being sent have a second to end. */
  close(): Promise<void>;
}

const GRACE_MS = 1_000;
const KEEP_ALIVE_MS = 65_000;
const BAD_KEYS = ['bad-key', 'sk-invalid', 'sk-ant-invalid'];

/**
 * A server that speaks OpenAI's Chat Completions and Responses and Anthropic's Messages, answers from nothing but the prompt,
 * counts true tokens, and can be told to be slow or to fail.
 *
 * @example
 * const simulator = createSimulator({ seed: 7 });
 * const { url } = await simulator.listen();
 * simulator.script([{ times: 1, action: { type: 'rate_limit', retry_after_s: 2 } }]);
 * const client = new OpenAI({ apiKey: 'sk-test', baseURL: `${url}/v1` });
 */
export function createSimulator(options: SimulatorOptions = {}): Simulator {
  return new HttpSimulator(options);
}

class HttpSimulator implements Simulator {
  private readonly closing = new AbortController();
  private readonly gate = new HoldGate();
  private readonly rules: Script;
  private readonly log: RequestLog;
  private readonly server: Server;

  constructor(options: SimulatorOptions) {
    // Every request in flight listens.
    setMaxListeners(0, this.closing.signal);
    this.rules = new Script(options.seed ?? 1);
    this.log = new RequestLog(options.log ?? true, options.maxLog ?? 1_000);
    const shared = { script: this.rules, gate: this.gate, log: this.log, closing: this.closing.signal };
    const latencyMs = options.latencyMs ?? 0;
    const api = new ProviderApi({ ...shared, latencyMs, badKeys: new Set(options.badKeys ?? BAD_KEYS) });
    const control = options.control === false ? undefined : new ControlApi(shared);
    const instant = options.instant ? new InstantApi(latencyMs) : undefined;
    this.server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, (req, res) => {
      if (instant?.handle(req, res)) return;
      const handler = control && isControl(req) ? control : api;
      handler.handle(req, res).catch((error: unknown) => failed(res, error));
    });
  }

  async listen(port = 0, host = '127.0.0.1'): Promise<{ url: string; port: number }> {
    this.server.listen(port, host);
    await once(this.server, 'listening');
    const bound = (this.server.address() as AddressInfo).port;
    return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, port: bound };
  }

  script(rules: ScriptRule[], { append = false }: { append?: boolean } = {}): void {
    this.rules.set(rules, append);
  }

  clearScript(): void {
    this.rules.clear();
  }

  requests(after = 0): ReceivedRequest[] {
    return this.log.list(after);
  }

  clearRequests(): void {
    this.log.clear();
  }

  async waitForRequests(count: number): Promise<ReceivedRequest[]> {
    if (await this.log.wait(count, this.closing.signal)) return this.log.list();
    throw new Error(`The simulator closed when ${this.log.received} of ${count} requests had come.`);
  }

  release(count?: number): number {
    return this.gate.release(count);
  }

  get held(): number {
    return this.gate.size;
  }

  async close(): Promise<void> {
    this.closing.abort();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeIdleConnections();
    const last = setTimeout(() => this.server.closeAllConnections(), GRACE_MS);
    await closed;
    clearTimeout(last);
  }
}

function isControl(req: IncomingMessage): boolean {
  const path = (req.url ?? '').split('?')[0] ?? '';
  return path === CONTROL_PREFIX || path.startsWith(`${CONTROL_PREFIX}/`);
}

/** A fault of the simulator itself must not look like one of a provider: it is told apart by its type. */
function failed(res: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.writeHead(500, { 'content-type': 'application/json' });
  res.end(
    JSON.stringify({ error: { type: 'simulator_error', message, param: null, code: 'simulator_error' } }),
  );
}
