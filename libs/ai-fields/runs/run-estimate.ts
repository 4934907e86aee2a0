import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, nanoToUsd } from '#libs/common';
import { Budgets, costOf, holdAmount, type HoldBounds } from '#libs/accounting';
import { PIPELINE_SCHEMAS, type HostRecord, type PipelineSchemas, type Principal } from '#libs/host';
import { CallPreparer, holdBoundsOf, JobSkipped, type PreparedCall } from '#libs/processing';
import { TenantSettingsStore, TenantTransactions } from '#libs/tenants';
import { downstreamFields, type CompiledPipeline } from '../config/compile-pipeline.js';
import { gatherField, type FieldReadings } from '../generation/gather-field.js';
import { promptField } from '../generation/prompt-field.js';
import { readValues, type ValueRow } from '../values/value-row.js';
import { ValueSight } from '../visibility/value-sight.js';
import { RunRecords } from './run-records.js';
import type { RunRequest } from './run-request.js';

export interface RunEstimate {
  /** For which a call would be made. */
  records: number;
  /** For which none would: a person's value, a condition that does not hold, nothing changed. */
  skipped: number;
  /** Whose prompt breaks a bound of the language: their jobs fail and cost nothing. */
  failing: number;
  /** Roughly, at four bytes a token. */
  input_tokens: number;
  /** At as many output tokens as this field's answers had lately; null where the model has no known price. */
  typical_cost_usd: number | null;
  /** The most that all calls together can cost. */
  max_cost_usd: number | null;
  budget_remaining_usd: number | null;
  downstream: { field: string; records: number }[];
}

const BYTES_PER_TOKEN = 4;
/** A guess for a field that has no history. */
const TYPICAL_OUTPUT_SHARE = 4;

/** Why a record would have no call. */
type NoCall = 'skipped' | 'failing';

/** Errors that one record's values make; any other one is the same for all. */
const OF_ONE_RECORD = new Set(['prompt_too_large', 'prompt_too_many_iterations', 'excluded_reference']);

/** Of the last month: the daily sums, and what is not in them yet. */
const TYPICAL_OUTPUT = `
  SELECT (sum(tokens) / nullif(sum(answers), 0))::float8 AS tokens FROM (
    SELECT output_tokens AS tokens, requests - errors AS answers FROM ai_rollups
     WHERE tenant_id = $1 AND dimension = 'field' AND key = $2 || ':' || $3 AND day > current_date - 31
    UNION ALL
    SELECT output_tokens, 1 FROM ai_ledger
     WHERE tenant_id = $1 AND xid > (SELECT coalesce(max(p.xid), 0) FROM ai_rollup_positions p WHERE p.tenant_id = $1)
       AND pipeline_id = $2 AND field = $3 AND entry = 'settled') answered`;

/** Tells what a run would do and cost, without doing it. */
@Injectable()
export class RunEstimator {
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    private readonly runRecords: RunRecords,
    private readonly preparer: CallPreparer,
    private readonly settings: TenantSettingsStore,
    private readonly budgets: Budgets,
    private readonly tenants: TenantTransactions,
    private readonly sights: ValueSight,
  ) {}

  /** @throws NotFoundError; FieldNotVisibleError, 403, also for what the figures would tell of hidden values. */
  async estimate(principal: Principal, request: RunRequest): Promise<RunEstimate> {
    await this.tenants.transaction(principal.tenantId, async (em) => {
      const compiled = await this.runRecords.requested(em, principal, request);
      await this.sights.requireInputs(em, principal, compiled, request.field);
    });
    const total = { records: 0, skipped: 0, failing: 0, inputTokens: 0, typical: 0n, max: 0n, priced: true };
    let downstream: string[] = [];
    let remaining: number | null = null;
    await this.runRecords.eachPage(principal.tenantId, request, async (em, { compiled, records }) => {
      downstream = downstreamFields(compiled, request.field);
      const outputTokens = await this.typicalOutput(em, principal.tenantId, request);
      const calls = await this.calls(em, principal, compiled, records, request.field);
      for (const call of calls) {
        if (call === 'skipped' || call === 'failing') {
          total[call] += 1;
          continue;
        }
        const bounds = holdBoundsOf(call.provider, call.request);
        const tokens = Math.ceil(bounds.inputTokenBound / BYTES_PER_TOKEN);
        total.records += 1;
        total.inputTokens += tokens;
        const cost = costs(call, bounds, tokens, outputTokens);
        total.priced &&= cost !== undefined;
        total.typical += cost?.typical ?? 0n;
        total.max += cost?.max ?? 0n;
      }
      remaining = await this.remaining(em, principal.tenantId);
    });
    return {
      records: total.records,
      skipped: total.skipped,
      failing: total.failing,
      input_tokens: total.inputTokens,
      typical_cost_usd: total.priced ? nanoToUsd(total.typical) : null,
      max_cost_usd: total.priced ? nanoToUsd(total.max) : null,
      budget_remaining_usd: remaining,
      downstream: downstream.map((field) => ({ field, records: total.records })),
    };
  }

  /** The call for each record, as things stand now. */
  private async calls(
    em: EntityManager,
    { tenantId, id: principalId }: Principal,
    compiled: CompiledPipeline,
    records: readonly HostRecord[],
    slug: string,
  ): Promise<(PreparedCall | NoCall)[]> {
    const settings = await this.settings.read(em, tenantId);
    const names = await this.schemas.names(em, tenantId, principalId);
    const rows = new Map<string, ValueRow[]>(records.map(({ id }) => [id, []]));
    for (const row of await readValues(em, tenantId, [...rows.keys()])) rows.get(row.record_id)?.push(row);
    const calls: (PreparedCall | NoCall)[] = [];
    for (const record of records) {
      const read = { compiled, field: compiled.fields.get(slug)!, settings, record, names };
      calls.push(await this.call(em, tenantId, read, rows.get(record.id) ?? []));
    }
    return calls;
  }

  private async call(
    em: EntityManager,
    tenantId: string,
    read: FieldReadings,
    rows: readonly ValueRow[],
  ): Promise<PreparedCall | NoCall> {
    try {
      const collected = gatherField(read, rows, false);
      const prepared = await this.preparer.prepare(em, tenantId, promptField(collected));
      return prepared.fingerprint === prepared.prompted.currentFingerprint ? 'skipped' : prepared;
    } catch (error) {
      if (error instanceof JobSkipped) return 'skipped';
      if (error instanceof FieldsmithError && OF_ONE_RECORD.has(error.code)) return 'failing';
      throw error;
    }
  }

  private async typicalOutput(
    em: EntityManager,
    tenantId: string,
    { pipelineId, field }: RunRequest,
  ): Promise<number | undefined> {
    const [row] = await em.query<{ tokens: number | null }[]>(TYPICAL_OUTPUT, [tenantId, pipelineId, field]);
    return row?.tokens ?? undefined;
  }

  private async remaining(em: EntityManager, tenantId: string): Promise<number | null> {
    const all = await this.budgets.list(em, tenantId);
    const cents = all.find(({ scope }) => scope === 'tenant')?.remaining_cents ?? null;
    return cents === null ? null : cents / 100;
  }
}

function costs(
  { price, request }: PreparedCall,
  bounds: HoldBounds,
  inputTokens: number,
  outputTokens: number | undefined,
): { typical: bigint; max: bigint } | undefined {
  if (!price) return undefined;
  const { maxTokens, tools } = request;
  // A guess: each tool that may be used is used once.
  const toolCalls = Object.fromEntries((tools?.names ?? []).map((name) => [name, 1]));
  const output = Math.min(maxTokens, Math.ceil(outputTokens ?? maxTokens / TYPICAL_OUTPUT_SHARE));
  const usage = { input: inputTokens, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output, toolCalls };
  const typical = costOf(price, usage);
  const max = holdAmount(price, bounds);
  return typical === undefined || max === undefined ? undefined : { typical, max };
}
