import type { EntityManager } from 'typeorm';
import { FieldsmithError, type Json } from '#libs/common';
import type { Principal } from '#libs/host';
import type { ToolUse } from '#libs/llm';
import type { ClaimedJob, JobOutcome } from '../jobs/job.js';
import type { ParserOptions } from '../parsers/parser.js';

/** What the prompt step hands to the call. */
export interface PromptedCall {
  /** Provider by name; undefined lets the model decide. */
  provider?: string;
  model: string;
  system?: string;
  prompt: string;
  maxTokens: number;
  temperature?: number;
  /** Tools of the provider's own that the model may use. */
  tools?: ToolUse;
  outputType: string;
  parserOptions: ParserOptions;
  /** The configuration that this was made by, to be shown with the job; `prompt` in it is the template. */
  config?: object;
  /** Seconds for which an equal request of this tenant may be answered from the result cache; 0 for never. */
  cacheSeconds: number;
  /** Fingerprint of the value that is stored now; an equal one needs no call. */
  currentFingerprint?: string;
  /** Fields of the record that the prompt was made from, through AI values too. */
  sources: string[];
}

/** A result on its way to being stored. */
export interface StoredResult {
  value: Json;
  outcome: Extract<JobOutcome, 'generated' | 'cached' | 'fallback'>;
  /** Undefined for a fallback: nothing it came from can be named. */
  fingerprint?: string;
  executionId?: string;
  model?: string;
  costNano?: bigint;
  sources: string[];
}

/** A job that is about to be shown to somebody. */
export interface ShownJob {
  id: string;
  pipelineId: string | null;
  recordId: string | null;
  field: string | null;
}

/** What of a job is not shown. */
export interface Concealed {
  /**
   * What the result was made from: inputs, prompts, citations, and what tells of them, which is how the job ended and what
   * was used for it.
   */
  input: boolean;
  /** The result. */
  output: boolean;
}

/**
 * What a kind of job does. Every job runs through one pipeline: collect, prompt, call, parse, store; a process supplies
 * collect, prompt and store. Register it with {@link ProcessRegistry} when its module starts.
 *
 * `collect` and `prompt` run in the transaction of the claim: they read and compute, nothing else.
 */
export interface AiProcess<Collected = unknown> {
  readonly type: string;
  /** @throws JobCancelled when there is nothing to work on any more. */
  collect(em: EntityManager, job: ClaimedJob): Promise<Collected>;
  prompt(job: ClaimedJob, collected: Collected): PromptedCall;
  /**
   * Writes the result, in the transaction that completes the job.
   *
   * @returns what goes on the job's row as its output, if anything.
   * @throws JobDiscarded when something newer stands in its place.
   */
  store(
    em: EntityManager,
    job: ClaimedJob,
    collected: Collected,
    result: StoredResult,
  ): Promise<object | undefined>;
  /** The stored value turned out to be current: note what it is current for. */
  unchanged?(em: EntityManager, job: ClaimedJob, collected: Collected): Promise<void>;
  /** The value to store when the job fails for good. */
  fallback?(job: ClaimedJob, collected: Collected): Json | undefined;
  /**
   * Those of the executions that stand behind something current: they outlive the tenant's retention. Default: none.
   * Asked in batches of a thousand, in a transaction of the tenant.
   */
  keeps?(em: EntityManager, tenantId: string, executionIds: readonly string[]): Promise<string[]>;
  /**
   * What of these jobs the principal may not see, by their ids; a job that is not named is shown whole. Default: all are.
   * Asked with every page of jobs that is read.
   */
  conceals?(
    em: EntityManager,
    principal: Principal,
    jobs: readonly ShownJob[],
  ): Promise<ReadonlyMap<string, Concealed>>;
  /**
   * Whether the principal may not know of some such job how it ended: then it is not found by that. Default: it may.
   *
   * @param pipelineId asks for this pipeline alone.
   */
  hidesEnds?(em: EntityManager, principal: Principal, pipelineId?: string): Promise<boolean>;
  /** Called in the transaction that discards a result, for instance to make a job that does it anew. */
  discarded?(em: EntityManager, job: ClaimedJob, collected: Collected, reason: string): Promise<void>;
}

/** What a job was to work on is gone, or need not be done: it ends as `cancelled`. */
export class JobCancelled extends FieldsmithError {}

/** The job ends as completed with nothing done: its condition does not hold, its value is not wanted. */
export class JobSkipped extends FieldsmithError {}

/** Something newer stands where the result was to go: the job ends as `discarded`. */
export class JobDiscarded extends FieldsmithError {}

/** Code of a {@link JobDiscarded}: what the value was made from was withdrawn while the call was in flight. */
export const INPUTS_WITHDRAWN = 'inputs_withdrawn';
