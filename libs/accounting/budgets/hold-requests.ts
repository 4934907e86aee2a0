import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { isDatabaseAway } from '#libs/tenants';
import { FieldDefault } from './field-default.js';
import { GatheredCalls } from './gathered-calls.js';

/** One request to a provider. */
export interface CallId {
  jobId: string;
  attempt: number;
  n: number;
}

/** What a call is about; kept on its hold and its ledger row. */
export interface CallSubject {
  principalId: string;
  pipelineId?: string;
  recordId?: string;
  field?: string;
  /** The type of job that makes the call. */
  operation: string;
  provider: string;
  model: string;
  keySource: 'tenant' | 'global' | 'simulator';
  /** The price that the call will be billed at; undefined where none is known. */
  priceId?: string;
}

export interface HoldRequest {
  tenantId: string;
  call: CallId;
  subject: CallSubject;
  /** The most the call can cost, in nano-USD; undefined where no price is known. */
  amountNano: bigint | undefined;
  /** The user whose budget it counts in; undefined for automation. */
  userId?: string;
  /** The provider's key by its id, where only so many calls at once may be made with it. */
  keyLimit?: { key: string; most: number };
}

const PLACE = 'SELECT ai_place_hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS verdict';

/** One commit for many: it is what a hold takes longest, and the budgets are locked until it is done. */
const PLACE_MANY = 'SELECT place, verdict FROM ai_place_holds($1, $2, $3, $4, $5, $6, $7)';

/**
 * Asks the database for holds. Those that would wait for each other, because they are about the same budgets and the same
 * key, go together.
 */
@Injectable()
export class HoldRequests {
  private readonly gathered = new GatheredCalls(
    (requests: HoldRequest[]) => (requests.length === 1 ? this.one(requests[0]!) : this.many(requests)),
    isDatabaseAway,
  );

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly fieldDefault: FieldDefault,
  ) {}

  /** @returns the verdict of `ai_place_hold`: `held`, `wait`, `key_busy`, `exceeded:<scope>`, `unpriced` or `model_stopped`. */
  ask(request: HoldRequest): Promise<string> {
    const { tenantId, subject, userId, keyLimit } = request;
    // Only of the same rows: those of others would be locked after the tenant's, against the order.
    const kind = JSON.stringify([tenantId, userId, fieldKey(subject), keyLimit?.key, keyLimit?.most]);
    return this.gathered.ask(kind, request);
  }

  private async one({
    tenantId,
    call,
    subject,
    amountNano,
    userId,
    keyLimit,
  }: HoldRequest): Promise<string[]> {
    const [row] = await this.dataSource.query<{ verdict: string }[]>(PLACE, [
      tenantId,
      call.jobId,
      call.attempt,
      call.n,
      amountNano?.toString() ?? null,
      userId ?? null,
      fieldKey(subject) ?? null,
      JSON.stringify(dimensions(subject)),
      keyLimit?.key ?? null,
      keyLimit?.most ?? null,
      this.fieldDefault.parameter,
    ]);
    return [row!.verdict];
  }

  private async many(requests: HoldRequest[]): Promise<string[]> {
    const { tenantId, subject, userId, keyLimit } = requests[0]!;
    const calls = requests.map(({ call, subject: about, amountNano }, place) => ({
      place,
      job: call.jobId,
      attempt: call.attempt,
      n: call.n,
      amount: amountNano?.toString(),
      dims: dimensions(about),
    }));
    const rows = await this.dataSource.query<{ place: number; verdict: string }[]>(PLACE_MANY, [
      tenantId,
      userId ?? null,
      fieldKey(subject) ?? null,
      keyLimit?.key ?? null,
      keyLimit?.most ?? null,
      this.fieldDefault.parameter,
      JSON.stringify(calls),
    ]);
    const verdicts = new Map(rows.map(({ place, verdict }) => [place, verdict]));
    return requests.map((_, place) => verdicts.get(place)!);
  }
}

/** The scope id of the field's budget; undefined for a call about no field. */
export function fieldKey({ pipelineId, field }: CallSubject): string | undefined {
  return pipelineId && field ? `${pipelineId}:${field}` : undefined;
}

function dimensions(subject: CallSubject): Record<string, string | undefined> {
  return {
    principal_id: subject.principalId,
    pipeline_id: subject.pipelineId,
    record_id: subject.recordId,
    field: subject.field,
    operation: subject.operation,
    provider: subject.provider,
    model: subject.model,
    key_source: subject.keySource,
    price_id: subject.priceId,
  };
}
