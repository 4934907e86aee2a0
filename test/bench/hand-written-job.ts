import { createHash, randomUUID } from 'node:crypto';
import type { OpenAI } from 'openai';
import pg from 'pg';
import * as sql from './hand-written-statements.js';

/** A job to work on. */
export interface Hint {
  tenantId: string;
  jobId: string;
}

interface Claim {
  attempt: number;
  pipeline_id: string;
  record_id: string;
  field: string;
  principal_id: string;
}

interface Config {
  version: number;
  config: { prompt: string; model: string; max_tokens: number };
}

/** What is known of a job before its call. */
interface Begun extends Hint, Claim, Config {
  prompt: string;
  revision: string;
  fingerprint: string;
  fieldKey: string;
  holdNano: number;
}

/** Nano-USD a token of gpt-4o-mini. */
const PRICE = { input: 150, output: 600 };
const SOURCES = ['name', 'company', 'notes'];
const WORKER = 'hand-written';

/** One job the way one would write it by hand: two transactions of one statement a step, and the call between them. */
export class HandWrittenJob {
  private readonly configs = new Map<string, Config>();

  constructor(
    private readonly pool: pg.Pool,
    private readonly openai: OpenAI,
  ) {}

  /** @throws when the job is not there to be done, or anything stands in its way. */
  async run(hint: Hint): Promise<void> {
    const begun = await this.transaction(hint.tenantId, (client) => this.begin(client, hint));
    const started = performance.now();
    const { model, max_tokens } = begun.config;
    const messages = [{ role: 'user' as const, content: begun.prompt }];
    const answer = await this.openai.chat.completions.create({
      model,
      messages,
      max_tokens,
      temperature: 0.3,
    });
    const durationMs = Math.round(performance.now() - started);
    await this.transaction(hint.tenantId, (client) => finish(client, begun, messages, answer, durationMs));
  }

  private async begin(client: pg.PoolClient, { tenantId, jobId }: Hint): Promise<Begun> {
    const claim = await one<Claim>(client, sql.CLAIM, [tenantId, jobId, WORKER]);
    const { record_id, field, pipeline_id, principal_id, attempt } = claim;
    const record = await one<{ data: Record<string, string>; revision: string; fingerprint: string | null }>(
      client,
      sql.READ_RECORD,
      [tenantId, record_id, field],
    );
    const { config, version } = await this.configOf(client, tenantId, claim);
    const prompt = config.prompt.replace(/\{(\w+)\}/g, (_, slug: string) => record.data[slug] ?? '');
    const fingerprint = hash({ model: config.model, max_tokens: config.max_tokens, prompt });
    if (fingerprint === record.fingerprint) throw new Error(`Job ${jobId} has nothing to do.`);
    const holdNano = Buffer.byteLength(prompt) * PRICE.input + config.max_tokens * PRICE.output;
    const fieldKey = `${pipeline_id}:${field}`;
    await one(client, sql.HOLD, [tenantId, jobId, attempt, holdNano, principal_id, fieldKey]);
    const { revision } = record;
    return {
      ...claim,
      tenantId,
      jobId,
      config,
      version,
      prompt,
      revision,
      fingerprint,
      fieldKey,
      holdNano,
    };
  }

  /** Read once a tenant: nothing of it changes while the bench runs. */
  private async configOf(client: pg.PoolClient, tenantId: string, claim: Claim): Promise<Config> {
    const known = this.configs.get(tenantId);
    if (known) return known;
    const config = await one<Config>(client, sql.READ_CONFIG, [tenantId, claim.pipeline_id, claim.field]);
    this.configs.set(tenantId, config);
    return config;
  }

  private async transaction<T>(tenantId: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query(
        `BEGIN; SELECT set_config('app.tenant_id', ${client.escapeLiteral(tenantId)}, true)`,
      );
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }
}

async function finish(
  client: pg.PoolClient,
  begun: Begun,
  messages: object[],
  answer: OpenAI.ChatCompletion,
  durationMs: number,
): Promise<void> {
  const { tenantId, jobId, attempt, pipeline_id, record_id, field, principal_id, fingerprint, fieldKey } =
    begun;
  const { model, max_tokens } = begun.config;
  const value = answer.choices[0]?.message.content ?? '';
  const usage = answer.usage!;
  const cost = usage.prompt_tokens * PRICE.input + usage.completion_tokens * PRICE.output;
  const json = JSON.stringify(value);
  const executionId = randomUUID();
  const subject = [pipeline_id, record_id, field];
  await one(client, sql.STORE_IN_RECORD, [tenantId, record_id, field, json]);
  const stored = [json, executionId, jobId, fingerprint, hash(messages), model, cost, SOURCES];
  await one(client, sql.STORE_VALUE, [tenantId, ...subject, ...stored, begun.version, begun.revision]);
  const output = JSON.stringify({ value });
  await one(client, sql.COMPLETE, [tenantId, jobId, attempt, output, model, usage.total_tokens, cost]);
  const spent = [model, cost, usage.prompt_tokens, usage.completion_tokens, durationMs];
  await one(client, sql.LEDGER, [tenantId, jobId, attempt, principal_id, ...subject, ...spent]);
  const request = JSON.stringify({ messages, max_tokens, temperature: 0.3 });
  const stop = answer.choices[0]?.finish_reason;
  const audit = [model, request, value, json, stop, JSON.stringify(usage), cost, durationMs];
  const execution = [tenantId, executionId, jobId, attempt, ...subject, principal_id];
  await client.query({ ...sql.EXECUTION, values: [...execution, ...audit, fingerprint, SOURCES] });
  await client.query({ ...sql.BUDGETS, values: [tenantId, begun.holdNano, cost, principal_id, fieldKey] });
}

async function one<Row extends object>(
  client: pg.PoolClient,
  statement: { name: string; text: string },
  values: unknown[],
): Promise<Row> {
  const { rows } = await client.query<Row>({ ...statement, values });
  if (!rows[0]) throw new Error(`"${statement.name}" found nothing to do.`);
  return rows[0];
}

function hash(parts: object): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
