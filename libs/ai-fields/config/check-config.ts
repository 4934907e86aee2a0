import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { InvalidInputError, type ErrorDetail } from '#libs/common';
import { Budgets, PriceBook, TENANT_SCOPE_ID } from '#libs/accounting';
import type { HostPipeline } from '#libs/host';
import { ProviderRegistry } from '#libs/llm';
import { ParserRegistry } from '#libs/processing';
import { TenantSettingsStore, type TenantSettings } from '#libs/tenants';
import { parserOptionsOf, type AiConfig } from './ai-config.js';
import { toolNameErrors, toolTermErrors, type ToolTerms } from './check-tools.js';
import { unknownExclusions } from './compile-field.js';
import { compilePipeline, type CompiledPipeline, type StoredConfig } from './compile-pipeline.js';
import { CompiledConfigs } from './compiled-configs.js';
import { toolsOf } from './field-tools.js';
import { valueFault } from './value-fault.js';

/** A configuration among those that are saved, checked and compiled with them. */
export interface CheckedConfig {
  compiled: CompiledPipeline;
  /** The revision it would be saved as. */
  version: number;
  /** What the provider would leave out or could refuse, for the admin. */
  warnings: string[];
}

/** Checks a configuration against everything it depends on: the pipeline, the other AI fields, models, prices, output types. */
@Injectable()
export class ConfigChecker {
  // The collaborators are what a configuration is checked against.
  constructor(
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
    private readonly budgets: Budgets,
    private readonly prices: PriceBook,
    private readonly providers: ProviderRegistry,
    private readonly parsers: ParserRegistry,
  ) {}

  /** @throws InvalidInputError with every error at once, paths below `ai_config`. */
  async check(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    slug: string,
    config: AiConfig,
  ): Promise<CheckedConfig> {
    const settings = await this.settings.read(em, tenantId);
    const configs = await this.configs.load(em, tenantId, pipeline.id);
    const version = (configs.get(slug)?.version ?? 0) + 1;
    configs.set(slug, { config, version });
    const errors = [
      ...this.checkOutput(config),
      ...toolNameErrors(config),
      ...unknownExclusions(pipeline, config),
      ...(await this.checkModel(em, tenantId, config, settings)),
    ];
    const compiled = compileStrictly(pipeline, configs, settings, slug, errors);
    return { compiled, version, warnings: this.warningsOf(config, settings) };
  }

  private warningsOf(config: AiConfig, settings: TenantSettings): string[] {
    const model = config.model ?? settings.defaultModel;
    const provider = this.providers.resolve({ provider: config.provider, model });
    const tools = toolsOf(config, settings)?.names;
    return provider.warnings({ model, temperature: config.temperature, tools });
  }

  private checkOutput(config: AiConfig): ErrorDetail[] {
    const outputType = config.output_type ?? 'text';
    if (!this.parsers.has(outputType)) {
      return [
        { path: 'ai_config.output_type', message: `must be one of ${this.parsers.names().join(', ')}` },
      ];
    }
    const parser = this.parsers.get(outputType);
    const options = parserOptionsOf(config);
    const found = parser.check?.(options) ?? [];
    if (found.length > 0) return found.map(({ path, message }) => ({ path: outputPath(path), message }));
    if (config.fallback_value === undefined) return [];
    const fault = valueFault(config.fallback_value, parser, options);
    return fault === undefined ? [] : [{ path: 'ai_config.fallback_value', message: fault }];
  }

  private async checkModel(
    em: EntityManager,
    tenantId: string,
    config: AiConfig,
    settings: TenantSettings,
  ): Promise<ErrorDetail[]> {
    const model = config.model ?? settings.defaultModel;
    try {
      const provider = this.providers.resolve({ provider: config.provider, model });
      const price = await this.prices.find(em, tenantId, provider.name, model, new Date());
      const tools = await this.checkTools(em, tenantId, config, { provider, model, price });
      const tenantLimit = await this.budgets.limitOf(em, tenantId, 'tenant', TENANT_SCOPE_ID);
      const limited = this.isFieldLimited(config) || tenantLimit !== undefined;
      if (price || !limited) return tools;
      return [...tools, { path: 'ai_config.model', message: unknownPriceOf(model) }];
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      return error.errors.map(({ path, message }) => ({ path: `ai_config.${path}`, message }));
    }
  }

  private isFieldLimited({ budget_limit_cents: cents }: AiConfig): boolean {
    return cents !== undefined || this.budgets.limitsEveryField;
  }

  /** Tools that are off by the field's own word are checked once they are turned on. */
  private async checkTools(
    em: EntityManager,
    tenantId: string,
    config: AiConfig,
    terms: Pick<ToolTerms, 'provider' | 'model' | 'price'>,
  ): Promise<ErrorDetail[]> {
    if (config.enable_tools === false || !config.allowed_tools?.length) return [];
    const limited = this.isFieldLimited(config) || (await this.budgets.anyLimit(em, tenantId));
    const providers = this.providers.names().map((name) => this.providers.byName(name));
    return toolTermErrors(config, { ...terms, providers, limited });
  }
}

/** Why a model cannot be chosen under a budget. */
export function unknownPriceOf(model: string): string {
  return `"${model}" has no known price, and a budget applies: choose a model with a price, or add its price`;
}

/** @throws InvalidInputError with the errors found before and those of compiling. */
function compileStrictly(
  pipeline: HostPipeline,
  configs: ReadonlyMap<string, StoredConfig>,
  settings: TenantSettings,
  slug: string,
  found: readonly ErrorDetail[],
): CompiledPipeline {
  try {
    const compiled = compilePipeline(pipeline, configs, settings, { strict: slug });
    if (found.length > 0) throw new InvalidInputError([], 'invalid_ai_config');
    return compiled;
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError([...found, ...error.errors], error.code);
  }
}

function outputPath(path: string): string {
  if (path.startsWith('choices')) return `ai_config.options.${path}`;
  return path.startsWith('schema') ? path.replace(/^schema/, 'ai_config.output_schema') : `ai_config.${path}`;
}
