export const BUDGET_SCOPES = ['tenant', 'field', 'user'] as const;
export type BudgetScope = (typeof BUDGET_SCOPES)[number];

/** The scope id of the tenant's own budget. */
export const TENANT_SCOPE_ID = 'self';
