import type { BudgetScope } from './budget-scope.js';

/**
 * What a call is told that a budget refused. A job keeps it as its message, and by it the jobs are found again that a
 * budget has blocked.
 */
export function budgetRefusal(scope: BudgetScope): string {
  return `The ${scope} budget of this month does not have room for another call: raise it, or wait for next month.`;
}
