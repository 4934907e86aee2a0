import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the system's own choice of ports, which begins at 32768 or above. */
const LOWEST_PORT = 20_000;
const PORTS = 10_000;
/** Ports that one process takes before it meets those of the next. */
const PORTS_EACH = 20;

let next = process.pid * PORTS_EACH;

/** A free port that nobody is given by chance while its server is down, for a server that comes and goes. */
export async function fixedPort(): Promise<number> {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = LOWEST_PORT + (next++ % PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error(`No port is free from ${LOWEST_PORT} to ${LOWEST_PORT + PORTS}.`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}
