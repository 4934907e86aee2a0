import { Injectable } from '@nestjs/common';
import { FieldsmithError } from '#libs/common';
import { BudgetAlerts } from './budget-alerts.js';
import { budgetRefusal } from './budget-refusal.js';
import { TENANT_SCOPE_ID, type BudgetScope } from './budget-scope.js';
import { fieldKey, HoldRequests, type CallSubject, type HoldRequest } from './hold-requests.js';
import { SettlementQueue } from './settlement-queue.js';

/** How a request for a hold ended: it stands, or other holds stand in its way for now, in a budget or on the key. */
export type HoldVerdict = 'held' | 'wait' | 'key_busy';

/** Reserves money in every budget that applies, before a call is made. */
@Injectable()
export class Holds {
  constructor(
    private readonly requests: HoldRequests,
    private readonly settlements: SettlementQueue,
    private readonly alerts: BudgetAlerts,
  ) {}

  /**
   * Holds the worst a call can cost in the budgets of its user, field and tenant, all or none.
   *
   * @returns `wait` when only holds of other calls stand in the way, `key_busy` when the key takes no further call now.
   * @throws FieldsmithError `budget_exceeded`, `unknown_price` or `model_stopped` when the call must not be made.
   */
  async place(request: HoldRequest): Promise<HoldVerdict> {
    let verdict = await this.requests.ask(request);
    if (verdict === 'wait' || verdict.startsWith('exceeded')) {
      await this.settlements.apply(request.tenantId);
      verdict = await this.requests.ask(request);
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
