import { Readable } from 'node:stream';
import type { Answer, Api } from './api.js';

/** Sends a table to a pipeline. */
export function importCsv(
  api: Api,
  pipelineId: string,
  table: string | Uint8Array,
  query = '',
): Promise<Answer> {
  return api.call('POST', `/pipelines/${pipelineId}/import${query}`, table, { 'content-type': 'text/csv' });
}

/** Begins to send a table that goes on only as the test says. */
export interface OpenImport {
  /** Sends a part. */
  send(part: string): void;
  /** Sends no more. @returns the answer. */
  finish(): Promise<Answer>;
  /** Goes away in the middle. */
  abort(): void;
}

/** Opens an import whose body the test sends bit by bit. */
export function openImport(api: Api, pipelineId: string): OpenImport {
  const body = new Readable({ read: () => undefined });
  const abort = new AbortController();
  const sent = fetch(`${api.url}/api/v1/pipelines/${pipelineId}/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${api.token}`, 'content-type': 'text/csv' },
    body: Readable.toWeb(body) as ReadableStream,
    duplex: 'half',
    signal: abort.signal,
  } as RequestInit);
  sent.catch(() => undefined);
  return {
    send: (part) => void body.push(part),
    finish: async () => {
      body.push(null);
      const answer = await sent;
      return { status: answer.status, headers: answer.headers, body: await answer.json() };
    },
    abort: () => abort.abort(),
  };
}
