import { Body, Controller, Get, Patch } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { centsToNano, nanoToCents } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantSettingsStore, TenantTransactions, type TenantSettings } from '#libs/tenants';
import type { EntityManager } from 'typeorm';
import { Budgets, TENANT_SCOPE_ID } from '../budgets/budgets.js';
import { PatchAiSettingsDto } from './ai-settings.dto.js';

/** AI settings of a tenant as the API shows them. */
interface AiSettingsView {
  default_model: string;
  default_temperature: number | null;
  default_max_tokens: number;
  enable_tools: boolean;
  monthly_budget_cents: number | null;
  denied_fields: string[];
  content_retention_days: number;
}

/** The settings of a tenant and, among them, the limit of its budget: one screen, two owners. */
@Controller('ai-settings')
export class AiSettingsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly settings: TenantSettingsStore,
    private readonly budgets: Budgets,
  ) {}

  @Get()
  @Authorize('read', 'Settings')
  async read(@CurrentPrincipal() { tenantId }: Principal): Promise<AiSettingsView> {
    return this.tenants.transaction(tenantId, (em) => this.view(em, tenantId));
  }

  @Patch()
  @Authorize('configure', 'Settings')
  async change(
    @CurrentPrincipal() { tenantId }: Principal,
    @Body() body: PatchAiSettingsDto,
  ): Promise<AiSettingsView> {
    return this.tenants.transaction(tenantId, async (em) => {
      await this.settings.change(em, tenantId, toSettings(body));
      if (body.monthly_budget_cents === null) {
        await this.budgets.removeLimit(em, tenantId, 'tenant', TENANT_SCOPE_ID);
      } else if (body.monthly_budget_cents !== undefined) {
        await this.budgets.setLimit(
          em,
          tenantId,
          'tenant',
          TENANT_SCOPE_ID,
          centsToNano(body.monthly_budget_cents),
        );
      }
      return this.view(em, tenantId);
    });
  }

  private async view(em: EntityManager, tenantId: string): Promise<AiSettingsView> {
    const settings = await this.settings.read(em, tenantId);
    const limit = await this.budgets.limitOf(em, tenantId, 'tenant', TENANT_SCOPE_ID);
    return {
      default_model: settings.defaultModel,
      default_temperature: settings.defaultTemperature ?? null,
      default_max_tokens: settings.defaultMaxTokens,
      enable_tools: settings.enableTools,
      monthly_budget_cents: limit === undefined ? null : nanoToCents(limit),
      denied_fields: settings.deniedFields,
      content_retention_days: settings.contentRetentionDays,
    };
  }
}

function toSettings(body: PatchAiSettingsDto): Partial<TenantSettings> {
  const settings: Partial<TenantSettings> & { defaultTemperature?: number | null } = {
    defaultModel: body.default_model,
    defaultTemperature: body.default_temperature as number | undefined,
    defaultMaxTokens: body.default_max_tokens,
    enableTools: body.enable_tools,
    deniedFields: body.denied_fields,
    contentRetentionDays: body.content_retention_days,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
