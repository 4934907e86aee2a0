import { lookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import type { ConnectPolicy } from '../base-url-policy.js';
import type { Send } from './provider-fetch.js';

/** The address that a name leads to may not be connected to. */
export const REFUSED_ADDRESS = 'REFUSED_ADDRESS';
/** Milliseconds to connect, as `fetch` has them. */
const CONNECT_MS = 10_000;
/** Answers of these have no body. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** Nobody answers there: nothing was sent. */
class NotConnected extends Error {
  readonly code = 'UND_ERR_CONNECT_TIMEOUT';
}

/** The connection ended, or became one of another protocol, and there was no answer. */
class NoAnswer extends Error {
  readonly code = 'ECONNRESET';
}

class RefusedAddress extends Error {
  readonly code = REFUSED_ADDRESS;
  /** No connection was made. */
  readonly syscall = 'connect';
}

/**
 * Sends like `fetch`, but connects only where the policy lets it. The address is looked at in the look-up of the socket
 * itself, so that what is checked is what is connected to, whatever the name led to before; each request has a
 * connection of its own. Follows no redirects. Node's `fetch` takes no look-up of ours without a package of its own.
 */
export function guardedSend(mayConnect: ConnectPolicy): Send {
  return (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // An address is connected to without a look-up.
    if (isIP(host) && !mayConnect(url, host)) return Promise.reject(new RefusedAddress());
    const { method = 'GET', headers, body, signal } = init;
    if (body !== undefined && body !== null && typeof body !== 'string')
      return Promise.reject(new TypeError('Only texts are sent to providers.'));
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const options = {
      method,
      headers: headers as Record<string, string>,
      signal: signal ?? undefined,
      lookup: guardedLookup((address) => mayConnect(url, address)),
      agent: false,
    } as const;
    return new Promise((resolve, reject) => {
      const sent = request(url, options);
      const late = setTimeout(() => sent.destroy(new NotConnected()), CONNECT_MS);
      sent.on('error', reject);
      sent.on('socket', (socket) => {
        const connected = url.protocol === 'https:' ? 'secureConnect' : 'connect';
        socket.once(connected, () => clearTimeout(late));
      });
      sent.on('upgrade', (_, socket) => socket.destroy());
      // Whatever happened: nobody waits for an answer that cannot come any more.
      sent.on('close', () => {
        clearTimeout(late);
        reject(new NoAnswer());
      });
      sent.on('response', (incoming) => {
        try {
          resolve(responseOf(incoming));
        } catch (error) {
          incoming.destroy();
          reject(error as Error);
        }
      });
      sent.end(body ?? undefined);
    });
  };
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

/** @throws where status or headers are none. */
function responseOf(incoming: IncomingMessage): Response {
  const { statusCode: status = 0, rawHeaders } = incoming;
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  const isEmpty = WITHOUT_BODY.has(status);
  if (isEmpty) incoming.destroy();
  const body = isEmpty ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
  return new Response(body, { status, headers });
}
