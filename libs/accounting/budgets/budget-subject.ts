import type { EntityManager } from 'typeorm';
import { NotFoundError } from '#libs/common';
import { SERVICE_PRINCIPAL_ID, type PipelineSchemas } from '#libs/host';
import type { BudgetScope } from './budget-scope.js';

/**
 * Makes sure that what a limit is set for is there, and is this tenant's.
 *
 * @param scopeId `<pipeline id>:<slug>` of an AI field, or the id of a user.
 * @throws NotFoundError
 */
export async function requireSubject(
  em: EntityManager,
  schemas: PipelineSchemas,
  tenantId: string,
  scope: BudgetScope,
  scopeId: string,
): Promise<void> {
  if (scope === 'field') {
    const [pipelineId = '', slug] = scopeId.split(':');
    const pipeline = await schemas.read(em, tenantId, pipelineId);
    const isThere = pipeline?.fields.some(
      (field) => field.slug === slug && field.fieldType === 'ai_generated',
    );
    if (!isThere) throw new NotFoundError('AI field', scopeId);
  }
  if (scope === 'user' && scopeId !== SERVICE_PRINCIPAL_ID) {
    const { user } = await schemas.names(em, tenantId, scopeId);
    if (user === '') throw new NotFoundError('user', scopeId);
  }
}
