/** The hand-written loop, in a process of its own like the product's worker; forked by the throughput bench. */
import { OpenAI } from 'openai';
import pg from 'pg';
import { HandWrittenJob, type Hint } from './hand-written-job.js';

/** What it is started with, as JSON in the first argument. */
export interface HandWrittenOptions {
  databaseUrl: string;
  providerUrl: string;
  concurrency: number;
  connections: number;
}

const { databaseUrl, providerUrl, concurrency, connections } = JSON.parse(
  process.argv[2]!,
) as HandWrittenOptions;
const pool = new pg.Pool({
  connectionString: databaseUrl,
  max: connections,
  options: '-c role=fieldsmith_app -c timezone=UTC',
});
const openai = new OpenAI({ apiKey: 'sk-bench', baseURL: `${providerUrl}/v1`, maxRetries: 0 });
const job = new HandWrittenJob(pool, openai);

async function workOn(hints: Hint[]): Promise<void> {
  let next = 0;
  const slot = async (): Promise<void> => {
    while (next < hints.length) await job.run(hints[next++]!);
  };
  await Promise.all(Array.from({ length: concurrency }, slot));
}

process.on('message', (hints: Hint[]) => void workOn(hints).then(() => process.send?.('done')));
process.on('disconnect', () => void pool.end().then(() => process.exit(0)));
process.send?.('ready');
