import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { newId, storableJson, type Json } from '#libs/common';
import { EventLog, Wakeups } from '#libs/events';
import { afterCommit, commitBehind, TenantSettingsStore, type TenantSettings } from '#libs/tenants';
import { KeyLines } from '../dispatch/key-lines.js';
import { withoutContent } from '../pipeline/execution.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { JobReporter } from '../telemetry/job-reporter.js';
import {
  PRIORITY,
  toClaimedJob,
  type ClaimedJob,
  type JobOutcome,
  type JobRow,
  type NewJob,
  type WaitReason,
} from './job.js';

/** How an attempt ends, for the job's row. */
export interface JobEnd {
  status: 'completed' | 'failed' | 'cancelled' | 'pending';
  outcome?: JobOutcome;
  errorCode?: string;
  errorMessage?: string;
  /** Why a job that goes back to pending waits. */
  waitReason?: WaitReason;
  /** Milliseconds until it is due again. */
  delayMs?: number;
  /** The provider key in whose line it waits, by its id; those behind it are due `stepMs` after each other. */
  waitKey?: string;
  stepMs?: number;
  /** Whether this used up one retry. */
  retry?: boolean;
  output?: object;
  /** Kept in the result cache, written last so that the order of locks is job, then cache. */
  reusable?: ReusableResult;
  /** Fields of the record that the prompt was made from: where one was purged meanwhile, nothing of the content is kept. */
  sources?: readonly string[];
  /** The configuration that the attempt went by. */
  config?: object;
  provider?: string;
  model?: string;
  tokens?: number;
  costNano?: bigint;
}

/** Executions and settlements as the database functions take them. */
export interface RecordedCalls {
  executions: object[];
  settlements: object[];
  /** The key that they were made with, by its id, where a limit of calls at once applies to it. */
  key?: string;
}

/** A result that equal requests may be answered with. */
export interface ReusableResult {
  fingerprint: string;
  value: Json;
  executionId: string;
  model: string;
  sources: string[];
}

export const NO_CALLS: RecordedCalls = { executions: [], settlements: [] };

/** What `ai_finish_job` raises, too. */
const TAKEN_OVER = 'FS001';

/** The settings come with the claim: a statement less for every job. */
const CLAIM = 'SELECT * FROM ai_claim_job($1, $2, $3, $4)';

const FINISH = 'SELECT * FROM ai_finish_job($1, $2, $3, $4, $5, $6)';

/** The statements that change a job's row. Each is one database function, so that each is one round trip. */
@Injectable()
export class JobStore {
  constructor(
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly events: EventLog,
    private readonly wakeups: Wakeups,
    private readonly settings: TenantSettingsStore,
    private readonly reporter: JobReporter,
    private readonly lines: KeyLines,
  ) {}

  /**
   * Makes jobs in the caller's transaction, whoever opened it and whatever tenant is set there; after its commit they
   * are handed out. A job whose subject has a pending job is folded into that one.
   *
   * @returns the id of the job of each entry, in order.
   */
  async enqueue(em: EntityManager, tenantId: string, jobs: readonly NewJob[]): Promise<string[]> {
    if (jobs.length === 0) return [];
    const rows = await em.query<{ id: string }[]>('SELECT id FROM ai_enqueue_jobs($1, $2)', [
      tenantId,
      JSON.stringify(jobs.map((job) => this.toRow(job))),
    ]);
    this.announce(em, tenantId);
    return rows.map((row) => row.id);
  }

  /** Takes a job for this worker; undefined where there is nothing to take (any more, or not yet). */
  async claim(
    em: EntityManager,
    tenantId: string,
    jobId: string,
    workerId: string,
  ): Promise<ClaimedJob | undefined> {
    const rows = await em.query<(JobRow & { settings: Partial<TenantSettings> | null })[]>(CLAIM, [
      tenantId,
      jobId,
      workerId,
      this.options.leaseMs,
    ]);
    const [row] = rows;
    this.events.announce(em, tenantId);
    if (!row) return undefined;
    const job = toClaimedJob({ tenantId, jobId }, workerId, row, this.settings.complete(row.settings));
    this.reporter.claimed(job);
    return job;
  }

  /**
   * Ends an attempt. Fenced: throws the database error `FS001` where the attempt has been taken over, and, where a value was
   * about to be stored, `FS004` for a job that was stopped and `FS005` where what it was made from was withdrawn.
   *
   * @param how `last`: nothing follows it in its transaction, so the commit travels with it ({@link commitBehind}).
   */
  async finish(
    em: EntityManager,
    job: ClaimedJob,
    end: JobEnd,
    calls: RecordedCalls = NO_CALLS,
    { last = false }: { last?: boolean } = {},
  ): Promise<void> {
    // What cannot be written fails here, with nothing sent that a commit would follow.
    const values = [
      job.tenantId,
      job.id,
      job.attempt,
      storableJson(endRow(job, end)),
      storableJson(calls.executions),
      JSON.stringify(calls.settlements),
    ];
    const finished = em.query<{ status: string; woke: boolean }[]>(FINISH, values);
    if (last) commitBehind(em);
    const [row] = await finished;
    // A retry may have found itself superseded by a newer job.
    const { status, woke } = row!;
    // Dispatchers look only where something may be due: each look costs as much as a fifth of a job.
    if (woke || status === 'pending') this.announce(em, job.tenantId);
    else this.events.announce(em, job.tenantId);
    afterCommit(em, `ended:${job.id}`, () => this.reporter.ended(job, end, status, calls));
    this.callNext(em, [calls.key, job.waitKey, end.waitKey]);
  }

  /** After the commit: a slot was given back, or one that a job was called for not taken; or both met on the way. */
  private callNext(em: EntityManager, keys: readonly (string | undefined)[]): void {
    for (const key of keys) {
      if (key !== undefined) afterCommit(em, `key-line:${key}`, () => this.lines.callNext(key));
    }
  }

  /**
   * What the transaction sees, for calls that no claim stands behind: of what is purged after it nothing is kept of them.
   * Where each statement sees more than the one before, it must come before what the prompt is made from is read.
   */
  async snapshot(em: EntityManager): Promise<string> {
    const [row] = await em.query<{ snapshot: string }[]>('SELECT pg_current_snapshot()::text AS snapshot');
    return row!.snapshot;
  }

  /**
   * Records calls apart from how their job ends: before a further call, or for a result that nobody wants any more.
   *
   * @param how `goesOn`: whether the attempt makes a further call, then it keeps its slot of the key; `withdrawn`: whether
   * what they were made from is gone, then nothing of their content is kept.
   */
  async recordCalls(
    em: EntityManager,
    tenantId: string,
    calls: RecordedCalls,
    { goesOn = false, withdrawn = false }: { goesOn?: boolean; withdrawn?: boolean } = {},
  ): Promise<void> {
    const executions = withdrawn ? calls.executions.map(withoutContent) : calls.executions;
    await em.query('SELECT ai_record_calls($1, $2, $3, $4)', [
      tenantId,
      storableJson(executions),
      JSON.stringify(calls.settlements),
      goesOn ? (calls.key ?? null) : null,
    ]);
    this.announce(em, tenantId);
    this.callNext(em, [calls.key]);
  }

  /** @throws with the code `FS001` where the attempt is not that of this claim any more. */
  async expectClaim(em: EntityManager, { tenantId, id, attempt, workerId }: ClaimedJob): Promise<void> {
    const rows = await em.query<unknown[]>(
      `SELECT FROM ai_jobs WHERE tenant_id = $1 AND id = $2 AND attempt = $3 AND worker_id = $4 AND status = 'processing'`,
      [tenantId, id, attempt, workerId],
    );
    if (rows.length > 0) return;
    throw Object.assign(new Error(`attempt ${attempt} of job ${id} has been taken over`), {
      code: TAKEN_OVER,
    });
  }

  /** @returns false where the attempt is no longer this worker's, or the job was stopped. */
  async renewLease(em: EntityManager, job: ClaimedJob): Promise<boolean> {
    const [, renewed] = await em.query<[unknown, number]>(
      `UPDATE ai_jobs SET lease_until = clock_timestamp() + make_interval(secs => $4::float8 / 1000)
        WHERE tenant_id = $1 AND id = $2 AND attempt = $3 AND status = 'processing'`,
      [job.tenantId, job.id, job.attempt, this.options.leaseMs],
    );
    return renewed > 0;
  }

  /** Wakes readers of events and dispatchers after the commit. */
  announce(em: EntityManager, tenantId: string): void {
    this.events.announce(em, tenantId);
    afterCommit(em, `jobs:${tenantId}`, () => this.wakeups.wake('jobs', tenantId));
  }

  private toRow(job: NewJob): object {
    return {
      id: newId(),
      job_type: job.jobType,
      pipeline_id: job.pipelineId,
      record_id: job.recordId,
      field: job.field,
      subject: job.subject,
      upstream: job.upstream?.length ? job.upstream : undefined,
      lane: job.lane,
      priority: PRIORITY[job.priority ?? 'default'],
      debounce_ms: job.debounceMs,
      max_retries: this.options.maxRetries,
      force: job.force,
      run_id: job.runId,
      origin: job.origin,
      caused_by: job.causedBy,
      depth: job.depth,
      principal_id: job.principalId,
      input: job.input,
      provider: job.provider,
      model: job.model,
    };
  }
}

function endRow({ snapshot }: ClaimedJob, end: JobEnd): object {
  return {
    status: end.status,
    outcome: end.outcome,
    error_code: end.errorCode,
    error_message: end.errorMessage,
    wait_reason: end.waitReason,
    delay_ms: end.delayMs,
    wait_key: end.waitKey,
    step_ms: end.stepMs,
    retry: end.retry ?? false,
    output: end.output,
    sources: end.sources,
    snapshot: end.sources && snapshot,
    config: end.config,
    reusable: end.reusable && {
      fingerprint: end.reusable.fingerprint,
      value: end.reusable.value,
      execution_id: end.reusable.executionId,
      model: end.reusable.model,
      sources: end.reusable.sources,
    },
    provider: end.provider,
    model: end.model,
    tokens: end.tokens,
    cost_nano: end.costNano?.toString(),
  };
}
