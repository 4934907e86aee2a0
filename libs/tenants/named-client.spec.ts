import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import pg from 'pg';
import { NamedStatementClient } from './named-client.js';

/** A message of the Postgres protocol: its type, its length, its content. */
function message(type: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

const AUTHENTICATED = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const TERMINATED = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'));

/** A server that ends each connection in the packet that completes it. */
async function startServer() {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATED, READY, TERMINATED])));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}

describe('a connection the server ends', () => {
  it('fails the next statement, not the process, where nobody could listen to it yet', async () => {
    const server = await startServer();
    const config = {
      Client: NamedStatementClient,
      host: '127.0.0.1',
      port: server.port,
      user: 'a',
      database: 'a',
    };
    const pool = new pg.Pool(config);
    const client = await pool.connect();
    await expect(client.query('SELECT 1')).rejects.toThrow();
    client.release();
    expect(pool.totalCount).toBe(0);
    await pool.end();
    server.close();
  });
});
