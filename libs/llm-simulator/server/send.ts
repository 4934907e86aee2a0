import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ReceivedRequest } from './request-log.js';

export interface Outgoing {
  status: number;
  headers: Record<string, string>;
  /** The whole body, or the events of a stream. */
  body: string | string[];
}

/** Sends an answer and notes in the log whether all of it went out. */
export function sendWhole(res: ServerResponse, outgoing: Outgoing, entry?: ReceivedRequest): void {
  res.once('finish', () => {
    if (entry?.answer) entry.answer.complete = true;
  });
  if (typeof outgoing.body === 'string') {
    writeHead(res, outgoing, Buffer.byteLength(outgoing.body));
    res.end(outgoing.body);
    return;
  }
  writeHead(res, outgoing);
  for (const event of outgoing.body) res.write(event);
  res.end();
}

/** Sends the head and the first `bytes` of the body, which is never all of it, and resolves when they are out. */
export async function sendPart(res: ServerResponse, outgoing: Outgoing, bytes?: number): Promise<void> {
  const streamed = typeof outgoing.body !== 'string';
  const whole = Buffer.from(typeof outgoing.body === 'string' ? outgoing.body : outgoing.body.join(''));
  const part = whole.subarray(0, Math.min(bytes ?? Math.floor(whole.length / 2), whole.length - 1));
  writeHead(res, outgoing, streamed ? undefined : whole.length);
  res.flushHeaders();
  if (part.length === 0 || res.destroyed) return;
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  const flushed = new Promise<void>((resolve) => res.write(part, () => resolve()));
  await Promise.race([flushed, once(gone.signal, 'abort')]);
}

function writeHead(res: ServerResponse, { status, headers }: Outgoing, length?: number): void {
  res.writeHead(status, {
    ...headers,
    ...(length === undefined ? {} : { 'content-length': String(length) }),
  });
}

export const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };
export const STREAM_TYPE = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
};
