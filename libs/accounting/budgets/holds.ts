import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { FieldsmithError } from '#libs/common';
import { BudgetAlerts } from './budget-alerts.js';
import { budgetRefusal } from './budget-refusal.js';
import { TENANT_SCOPE_ID, type BudgetScope } from './budget-scope.js';
import { FieldDefault } from './field-default.js';
import { SettlementQueue } from './settlement-queue.js';

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

/** How a request for a hold ended: it stands, or other holds stand in its way for now, in a budget or on the key. */
export type HoldVerdict = 'held' | 'wait' | 'key_busy';

const PLACE = 'SELECT ai_place_hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS verdict';

/** Reserves money in every budget that applies, before a call is made. */
@Injectable()
export class Holds {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly settlements: SettlementQueue,
    private readonly alerts: BudgetAlerts,
    private readonly fieldDefault: FieldDefault,
  ) {}

  /**
   * Holds the worst a call can cost in the budgets of its user, field and tenant, all or none.
   *
   * @returns `wait` when only holds of other calls stand in the way, `key_busy` when the key takes no further call now.
   * @throws FieldsmithError `budget_exceeded`, `unknown_price` or `model_stopped` when the call must not be made.
   */
  async place(request: HoldRequest): Promise<HoldVerdict> {
    let verdict = await this.ask(request);
    if (verdict === 'wait' || verdict.startsWith('exceeded')) {
      await this.settlements.apply(request.tenantId);
      verdict = await this.ask(request);
    }
    if (verdict === 'held' || verdict === 'wait' || verdict === 'key_busy') return verdict;
    const [, exceeded] = verdict.split(':') as [string, BudgetScope?];
    if (exceeded) await this.tellOf(exceeded, request);
    throw refusal(verdict, request.subject, exceeded);
  }

  private async tellOf(
    scope: BudgetScope,
    { tenantId, subject, amountNano, userId }: HoldRequest,
  ): Promise<void> {
    const ids = { tenant: TENANT_SCOPE_ID, field: fieldKey(subject), user: userId };
    await this.alerts.refused(tenantId, scope, ids[scope]!, amountNano!);
  }

  private async ask({ tenantId, call, subject, amountNano, userId, keyLimit }: HoldRequest): Promise<string> {
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
    return row!.verdict;
  }
}

/** The scope id of the field's budget; undefined for a call about no field. */
function fieldKey({ pipelineId, field }: CallSubject): string | undefined {
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

function refusal(verdict: string, subject: CallSubject, exceeded?: BudgetScope): FieldsmithError {
  if (verdict === 'unpriced') {
    return new FieldsmithError(
      'unknown_price',
      `No price is known for model "${subject.model}" of ${subject.provider}, and a budget applies: choose a model with a known price, or add its price under /model-prices.`,
      { status: 422 },
    );
  }
  if (verdict === 'model_stopped') {
    return new FieldsmithError(
      'model_stopped',
      `Model "${subject.model}" is stopped because a call cost more than was held for it: an admin must look and release it.`,
      { status: 409 },
    );
  }
  if (!exceeded) throw new Error(`ai_place_hold answered ${verdict}`);
  return new FieldsmithError('budget_exceeded', budgetRefusal(exceeded), { status: 402 });
}
