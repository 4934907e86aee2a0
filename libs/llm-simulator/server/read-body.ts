import type { IncomingMessage } from 'node:http';

export const BODY_LIMIT = 10 * 1024 * 1024;
/** What of a body over the limit is still read, so that the client sees the answer instead of a reset. */
const DRAIN_LIMIT = 10 * BODY_LIMIT;

export interface Body {
  text: string;
  bytes: number;
  tooLarge: boolean;
}

/** Reads a request's body, at most 10 MB of it; undefined where the client went away meanwhile. */
export function readBody(req: IncomingMessage): Promise<Body | undefined> {
  return new Promise((resolve) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= BODY_LIMIT) chunks.push(chunk);
      else chunks = [];
      if (bytes > DRAIN_LIMIT) req.destroy();
    });
    req.on('end', () =>
      resolve({ text: Buffer.concat(chunks).toString('utf8'), bytes, tooLarge: bytes > BODY_LIMIT }),
    );
    req.on('error', () => resolve(undefined));
    req.on('close', () => resolve(undefined));
  });
}
