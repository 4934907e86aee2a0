import type { EntityManager } from 'typeorm';

/** What relies on a tenant's default model. What knows of it implements it; it comes after this lib. */
export interface DefaultModels {
  /**
   * @param limited whether a budget of the whole tenant applies, or is about to.
   * @throws InvalidInputError, path `default_model`, where calls to the model would be refused.
   */
  requireUsable(em: EntityManager, tenantId: string, model: string, limited: boolean): Promise<void>;
}

/** Nest token of the {@link DefaultModels}. */
export const DEFAULT_MODELS = Symbol('DEFAULT_MODELS');
