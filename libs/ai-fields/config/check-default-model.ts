import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Budgets, PriceBook, type DefaultModels } from '#libs/accounting';
import { InvalidInputError } from '#libs/common';
import { ProviderRegistry } from '#libs/llm';
import { unknownPriceOf } from './check-config.js';

/** An AI field that has no model of its own. */
interface RelyingField {
  pipeline_id: string;
  field: string;
  provider: string | null;
}

const RELYING = `
  SELECT pipeline_id, field, config->>'provider' AS provider FROM ai_field_configs
   WHERE tenant_id = $1 AND config->>'model' IS NULL ORDER BY pipeline_id, field`;

/** Checks a tenant's default model as the model of each AI field that relies on it. */
@Injectable()
export class DefaultModelChecker implements DefaultModels {
  constructor(
    private readonly budgets: Budgets,
    private readonly prices: PriceBook,
    private readonly providers: ProviderRegistry,
  ) {}

  async requireUsable(em: EntityManager, tenantId: string, model: string, limited: boolean): Promise<void> {
    const fields = await em.query<RelyingField[]>(RELYING, [tenantId]);
    const all = limited || this.budgets.limitsEveryField;
    const known = new Map<string, boolean>();
    for (const field of fields) {
      const provider = this.providerOf(field, model);
      if (!known.has(provider)) known.set(provider, await this.isPriced(em, tenantId, provider, model));
      if (!known.get(provider) && (all || (await this.isLimited(em, tenantId, field)))) refuse(model);
    }
    if (fields.length === 0 && all && !(await this.isPricedAnywhere(em, tenantId, model))) refuse(model);
  }

  private providerOf({ field, provider }: RelyingField, model: string): string {
    try {
      return this.providers.resolve({ provider: provider ?? undefined, model }).name;
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      const message = `the AI field "${field}" relies on it, and would not work: ${error.errors[0]!.message}`;
      throw new InvalidInputError([{ path: 'default_model', message }]);
    }
  }

  /** Fields to come may name their provider, which the model alone need not tell. */
  private async isPricedAnywhere(em: EntityManager, tenantId: string, model: string): Promise<boolean> {
    for (const provider of this.providers.names())
      if (await this.isPriced(em, tenantId, provider, model)) return true;
    return false;
  }

  private async isPriced(
    em: EntityManager,
    tenantId: string,
    provider: string,
    model: string,
  ): Promise<boolean> {
    return (await this.prices.find(em, tenantId, provider, model, new Date())) !== undefined;
  }

  private async isLimited(
    em: EntityManager,
    tenantId: string,
    { pipeline_id: pipelineId, field }: RelyingField,
  ): Promise<boolean> {
    return (await this.budgets.limitOf(em, tenantId, 'field', `${pipelineId}:${field}`)) !== undefined;
  }
}

function refuse(model: string): never {
  throw new InvalidInputError([{ path: 'default_model', message: unknownPriceOf(model) }]);
}
