import { once } from 'node:events';
import { createServer } from 'node:net';
import { FieldsmithError } from '#libs/common';

/** What a bind says of an address that is no address of this machine, or a name without one. */
const NO_ADDRESS_HERE = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL'];

/**
 * Binds an address and lets it go, so that a start that could not serve ends before it has done anything.
 *
 * @throws FieldsmithError `host_unusable`; or the error of the bind, such as that of a port in use.
 */
export async function checkAddress(port: number, host: string): Promise<void> {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!NO_ADDRESS_HERE.includes(code)) throw error;
    const remedy = `HOST is ${JSON.stringify(host)}, where this machine cannot listen (${code}): set it to one of its addresses, such as 127.0.0.1, or 0.0.0.0 for all.`;
    throw new FieldsmithError('host_unusable', remedy, { cause: error });
  }
  server.close();
  await once(server, 'close');
}
