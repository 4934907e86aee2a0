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

/** What `fetch` does, as far as it is used here. */
export type Send = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * The `fetch` given to the SDKs, over one that sends. It reads the whole answer, so that a deadline covers the body too, bounds its
 * size, follows no redirects (they would lead around the allow list), and fails with one of the two classes
 * above, which the SDKs hand on as the `cause` of their connection error.
 *
 * @returns a function that throws TransportFailure or HttpFailure, and nothing else.
 */
export function providerFetch(send: Send = fetch): Send {
  return async (url, init = {}) => {
    const { response, body } = await exchange(send, url, init);
    if (!response.ok) throw new HttpFailure(response.status, response.headers, body);
    return new Response(response.status === 204 ? null : body, {
      status: response.status,
      headers: response.headers,
    });
  };
}

async function exchange(send: Send, url: string | URL | Request, init: RequestInit) {
  try {
    const response = await send(url, { ...init, headers: sentHeaders(init.headers), redirect: 'manual' });
    return { response, body: await readBody(response) };
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

async function readBody(response: Response): Promise<string> {
  const length = Number(response.headers.get('content-length') ?? NaN);
  // A declared length is enforced by the client; without one, or compressed, the size shows only while reading.
  if (length <= LONGEST_BODY_BYTES && !response.headers.has('content-encoding')) return response.text();
  if (!response.body) return '';
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > LONGEST_BODY_BYTES) throw new TransportFailure('ANSWER_TOO_LARGE', false);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** What Node's errors have and their types do not. */
interface SystemError {
  code?: unknown;
  syscall?: unknown;
  cause?: unknown;
  errors?: unknown;
}

function transportFailure(error: unknown): TransportFailure {
  let current = error as SystemError | undefined;
  for (let depth = 0; current && typeof current === 'object' && depth < 5; depth++) {
    if (typeof current.code === 'string') return new TransportFailure(current.code, neverLeft(current));
    current = current.cause as SystemError | undefined;
  }
  return new TransportFailure(undefined, false);
}

const BEFORE_CONNECTION = new Set<unknown>(['connect', 'getaddrinfo']);
const BEFORE_REQUEST = new Set<unknown>([
  'UND_ERR_CONNECT_TIMEOUT',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
]);

/** Host names and refused connections, and certificates that do not verify: no byte of the request was sent. */
function neverLeft(error: SystemError): boolean {
  const attempts =
    Array.isArray(error.errors) && error.errors.length > 0 ? (error.errors as SystemError[]) : [error];
  if (attempts.every((attempt) => BEFORE_CONNECTION.has(attempt?.syscall))) return true;
  return BEFORE_REQUEST.has(error.code) || /^(CERT_|UNABLE_TO_)/.test(String(error.code));
}
