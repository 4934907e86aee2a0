import { NotConnected, type HttpSend } from './http-send.js';

/** More than any answer needs: a million output tokens as escaped JSON. */
const LONGEST_BODY_BYTES = 16 * 1024 * 1024;

/**
 * All that is ever sent besides the body. The SDKs add headers from environment variables
 * (`OPENAI_CUSTOM_HEADERS`), which have no business at an address that a tenant chose.
 */
const SENT_HEADERS = [
  'accept',
  'authorization',
  'content-type',
  'user-agent',
  'x-api-key',
  'anthropic-version',
  'anthropic-beta',
];

/** The request failed below HTTP: no answer, or not all of it. */
export class TransportFailure extends Error {
  constructor(
    /** Code of the system or of Node's HTTP client, such as `ECONNRESET`; undefined where there was none. */
    readonly code: string | undefined,
    /** Whether it failed before a connection stood, so that nothing was sent. */
    readonly neverLeft: boolean,
  ) {
    // The SDKs drop the cause of errors whose text looks like a timeout: this text is constant for that reason.
    super('No complete answer was received.');
  }
}

/** The provider answered with a status that is not a success. */
export class HttpFailure extends Error {
  constructor(
    readonly status: number,
    readonly headers: Headers,
    /** The body as sent; hostile, and may quote the key or the prompt. */
    readonly body: string,
  ) {
    super('The answer is an error status.');
  }
}

/** What the SDKs take as `fetch`. */
export type Send = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What an SDK hands back of an answer that has been read: it looks at the status and the headers. */
export interface ReadResponse extends Response {
  /** The body. */
  readonly read: string;
}

/**
 * The `fetch` given to the SDKs, over one that sends. It reads the whole answer, so that a deadline covers the body too, bounds its
 * size, and fails with one of the two classes above, which the SDKs hand on as the `cause` of their connection error.
 *
 * @returns a function that gives a {@link ReadResponse}, and throws TransportFailure or HttpFailure and nothing else.
 */
export function providerFetch(send: HttpSend): Send {
  return async (url, init = {}) => {
    const { status, headers, body } = await exchange(send, url, init);
    if (status < 200 || status > 299) throw new HttpFailure(status, headers, body);
    return Object.assign(new Response(null, { status, headers }), { read: body });
  };
}

async function exchange(send: HttpSend, url: string | URL | Request, init: RequestInit) {
  try {
    const { method = 'GET', headers, body, signal } = init;
    if (body !== undefined && body !== null && typeof body !== 'string')
      throw new TypeError('Only texts are sent to providers.');
    const request = {
      method,
      headers: sentHeaders(headers),
      body: body ?? undefined,
      signal: signal ?? undefined,
    };
    const answer = await send(new URL(url instanceof Request ? url.url : url), request);
    return { ...answer, body: await readBody(answer.body) };
  } catch (error) {
    throw error instanceof TransportFailure ? error : transportFailure(error);
  }
}

function sentHeaders(headers: RequestInit['headers']): Record<string, string> {
  const all = headers instanceof Headers ? headers : new Headers(headers);
  const sent: Record<string, string> = {};
  for (const name of SENT_HEADERS) {
    const value = all.get(name);
    if (value !== null) sent[name] = value;
  }
  return sent;
}

async function readBody(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > LONGEST_BODY_BYTES) throw new TransportFailure('ANSWER_TOO_LARGE', false);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
}

function transportFailure(error: unknown): TransportFailure {
  const { code } = error as { code?: unknown };
  return new TransportFailure(typeof code === 'string' ? code : undefined, error instanceof NotConnected);
}
