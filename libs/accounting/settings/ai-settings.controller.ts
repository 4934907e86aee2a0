import { Body, Controller, Get, Inject, Patch } from '@nestjs/common';
import { AuditLog, Authorize, CurrentPrincipal } from '#libs/access';
import { centsToNano, nanoToCents } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantSettingsStore, TenantTransactions, type TenantSettings } from '#libs/tenants';
import type { EntityManager } from 'typeorm';
import { TENANT_SCOPE_ID } from '../budgets/budget-scope.js';
import { Budgets } from '../budgets/budgets.js';
import { PatchAiSettingsDto } from './ai-settings.dto.js';
import { DEFAULT_MODELS, type DefaultModels } from './default-models.js';

/** AI settings of a tenant as the API shows them. */
interface AiSettingsView {
  default_model: string;
  default_temperature: number | null;
  default_max_tokens: number;
  enable_tools: boolean;
  monthly_budget_cents: number | null;
  denied_fields: string[];
  content_retention_days: number;
  /** Whether calls go by the host's key where the tenant has none of its own. */
  allow_global_keys: boolean;
}

/** The settings of a tenant and, among them, the limit of its budget: one screen, two owners. */
@Controller('ai-settings')
export class AiSettingsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly settings: TenantSettingsStore,
    private readonly budgets: Budgets,
    private readonly audit: AuditLog,
    @Inject(DEFAULT_MODELS) private readonly models: DefaultModels,
  ) {}

  @Get()
  @Authorize('read', 'Settings')
  async read(@CurrentPrincipal() { tenantId }: Principal): Promise<AiSettingsView> {
    return this.tenants.transaction(tenantId, (em) => this.view(em, tenantId));
  }

  @Patch()
  @Authorize('configure', 'Settings')
  async change(
    @CurrentPrincipal() principal: Principal,
    @Body() body: PatchAiSettingsDto,
  ): Promise<AiSettingsView> {
    const { tenantId } = principal;
    return this.tenants.transaction(tenantId, async (em) => {
      const view = () => this.view(em, tenantId);
      await this.audit.watch(em, principal, { subject: 'Settings', subjectId: 'self', view }, async () => {
        // Holds off whoever saves a field that relies on the default model, which is looked at next.
        await this.settings.change(em, principal, toSettings(body));
        await this.checkModel(em, tenantId, body);
        await this.changeBudget(em, principal, body.monthly_budget_cents);
      });
      return view();
    });
  }

  private async checkModel(em: EntityManager, tenantId: string, body: PatchAiSettingsDto): Promise<void> {
    if (body.default_model === undefined) return;
    const cents = body.monthly_budget_cents;
    const limited =
      cents === undefined
        ? (await this.budgets.limitOf(em, tenantId, 'tenant', TENANT_SCOPE_ID)) !== undefined
        : cents !== null;
    await this.models.requireUsable(em, tenantId, body.default_model, limited);
  }

  private async changeBudget(
    em: EntityManager,
    principal: Principal,
    cents: number | null | undefined,
  ): Promise<void> {
    const [scope, id] = ['tenant', TENANT_SCOPE_ID] as const;
    if (cents === null) await this.budgets.removeLimit(em, principal, scope, id);
    else if (cents !== undefined) await this.budgets.setLimit(em, principal, scope, id, centsToNano(cents));
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
      allow_global_keys: settings.allowGlobalKeys,
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
    allowGlobalKeys: body.allow_global_keys,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
