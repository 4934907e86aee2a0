import { Agent, request } from 'node:http';
import type { Api } from '../support/api.js';

/** One client on one connection that is kept open: what it measures is the server, not the handshake. */
export class KeepAliveClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(private readonly api: Api) {}

  /** Saves values of a record. @throws unless it is saved. */
  save(recordId: string, data: Record<string, unknown>): Promise<void> {
    const body = JSON.stringify({ data });
    const headers = {
      authorization: `Bearer ${this.api.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const url = `${this.api.url}/api/v1/records/${recordId}`;
    return new Promise((resolve, reject) => {
      const sent = request(url, { method: 'PATCH', agent: this.agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) return resolve();
          reject(new Error(`PATCH ${url} answered ${response.statusCode}: ${Buffer.concat(chunks)}`));
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
