import { lookup } from 'node:dns';
import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { ConnectPolicy } from '../base-url-policy.js';

/** The address that a name leads to may not be connected to. */
export const REFUSED_ADDRESS = 'REFUSED_ADDRESS';
/** Milliseconds to connect. */
const CONNECT_MS = 10_000;
/** An idle connection is closed before most servers would: one that is closed while a request leaves may have been paid for. */
const IDLE_MS = 4_000;
/** Answers of these have no body. */
const WITHOUT_BODY = new Set([204, 205, 304]);

const DECODERS: Record<string, () => NodeJS.ReadWriteStream & Readable> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** A request as the SDKs make it. */
export interface HttpRequest {
  method: string;
  headers: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

/** An answer whose body is still to be read. */
export interface HttpAnswer {
  status: number;
  headers: Headers;
  body: AsyncIterable<Buffer>;
}

/** Sends one request. It follows no redirects, and fails with {@link NotConnected} or the errors of Node's client. */
export type HttpSend = (url: URL, request: HttpRequest) => Promise<HttpAnswer>;

/** No connection came to stand: nothing was sent. */
export class NotConnected extends Error {
  constructor(readonly code: string | undefined) {
    super('No connection was made.');
  }
}

/** The connection ended, or became one of another protocol, and there was no answer. */
class NoAnswer extends Error {
  readonly code = 'ECONNRESET';
}

class RefusedAddress extends Error {
  readonly code = REFUSED_ADDRESS;
}

/** How connections are made. */
interface Connecting {
  /** Unset: each request has a connection of its own. */
  agents?: { http: HttpAgent; https: HttpsAgent };
  lookup?: LookupFunction;
}

const kept = { keepAlive: true, timeout: IDLE_MS };
const OPEN: Connecting = { agents: { http: new HttpAgent(kept), https: new HttpsAgent(kept) } };

/**
 * Sends anywhere, over connections that are kept for the next request. Node's own client, because `fetch` and its streams
 * took 13 % of a busy worker's time by its profile.
 */
export function openSend(): HttpSend {
  return (url, request) => exchange(url, request, OPEN);
}

/**
 * Sends only where the policy lets it. The address is looked at in the look-up of the socket itself, so that what is checked
 * is what is connected to, whatever the name led to before; each request has a connection of its own.
 */
export function guardedSend(mayConnect: ConnectPolicy): HttpSend {
  return (url, request) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // An address is connected to without a look-up.
    if (isIP(host) && !mayConnect(url, host)) return Promise.reject(new NotConnected(REFUSED_ADDRESS));
    return exchange(url, request, { lookup: guardedLookup((address) => mayConnect(url, address)) });
  };
}

function exchange(
  url: URL,
  { body, ...request }: HttpRequest,
  { agents, lookup: look }: Connecting,
): Promise<HttpAnswer> {
  const isSecure = url.protocol === 'https:';
  const agent = agents ? (isSecure ? agents.https : agents.http) : false;
  const send = isSecure ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = begin(() => send(url, { ...request, agent, ...(look ? { lookup: look } : {}) }));
    let isConnected = false;
    const late = setTimeout(() => sent.destroy(new NotConnected('ETIMEDOUT')), CONNECT_MS);
    const connected = () => {
      isConnected = true;
      clearTimeout(late);
    };
    const fail = (error: NodeJS.ErrnoException) => reject(isConnected ? error : new NotConnected(error.code));
    sent.on('error', fail);
    sent.on('socket', (socket: Socket) => {
      if (!socket.connecting && sent.reusedSocket) connected();
      else socket.once(isSecure ? 'secureConnect' : 'connect', connected);
    });
    sent.on('upgrade', (_, socket) => socket.destroy());
    // Whatever happened: nobody waits for an answer that cannot come any more.
    sent.on('close', () => {
      clearTimeout(late);
      fail(new NoAnswer());
    });
    sent.on('response', (incoming) => {
      try {
        resolve(answerOf(incoming));
      } catch (error) {
        incoming.destroy();
        reject(error as Error);
      }
    });
    sent.end(body);
  });
}

/** What Node refuses to send, such as a character in a header, has not left. */
function begin(send: () => ClientRequest): ClientRequest {
  try {
    return send();
  } catch (error) {
    throw new NotConnected((error as NodeJS.ErrnoException).code);
  }
}

function guardedLookup(mayConnect: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      // One that is refused among others that are not is no accident.
      if (!addresses.every(({ address }) => mayConnect(address))) return callback(new RefusedAddress(), []);
      const [first] = addresses;
      if (options.all || !first) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** @throws where headers are none. */
function answerOf(incoming: IncomingMessage): HttpAnswer {
  const { statusCode: status = 0, rawHeaders } = incoming;
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  if (WITHOUT_BODY.has(status)) incoming.resume();
  return { status, headers, body: WITHOUT_BODY.has(status) ? empty() : decoded(incoming) };
}

async function* empty(): AsyncGenerator<Buffer> {}

/** None is asked for, and some servers compress all the same. */
function decoded(incoming: IncomingMessage): Readable {
  const decoder = DECODERS[incoming.headers['content-encoding']?.toLowerCase() ?? '']?.();
  if (!decoder) return incoming;
  incoming.on('error', (error) => decoder.destroy(error));
  decoder.on('close', () => incoming.destroy());
  return incoming.pipe(decoder);
}
