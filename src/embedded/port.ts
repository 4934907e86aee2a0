import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { errorCode } from './embedded.errors.js';

/** Postgres is reached over the loopback only. */
export const HOST = '127.0.0.1';

/** The port of the last start, if it is still free; otherwise any free one, which is kept in the file. */
export async function choosePort(file: string): Promise<number> {
  const kept = readKept(file);
  if (kept !== undefined && (await tryListen(kept)) !== undefined) return kept;
  const port = await tryListen(0);
  if (port === undefined) throw new Error(`No port is free on ${HOST}.`);
  writeFileSync(file, `${port}\n`);
  return port;
}

function readKept(file: string): number | undefined {
  try {
    const port = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(port) && port >= 1024 && port <= 65_535 ? port : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function tryListen(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => (errorCode(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen({ port, host: HOST, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}
