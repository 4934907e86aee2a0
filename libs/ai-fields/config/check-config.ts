import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { InvalidInputError, type ErrorDetail } from '#libs/common';
import { Budgets, PriceBook, TENANT_SCOPE_ID } from '#libs/accounting';
import type { HostPipeline } from '#libs/host';
import { ProviderRegistry } from '#libs/llm';
import { ParserRegistry } from '#libs/processing';
import { TenantSettingsStore, type TenantSettings } from '#libs/tenants';
import type { AiConfig } from './ai-config.js';
import { compilePipeline, type CompiledPipeline, type StoredConfig } from './compile-pipeline.js';
import { CompiledConfigs } from './compiled-configs.js';

/** A configuration among those that are saved, checked and compiled with them. */
export interface CheckedConfig {
  compiled: CompiledPipeline;
  /** The revision it would be saved as. */
  version: number;
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
    const errors = [...this.checkOutput(config), ...(await this.checkModel(em, tenantId, config, settings))];
    if (config.enable_tools) errors.push(NO_TOOLS);
    const compiled = compileStrictly(pipeline, configs, settings, slug, errors);
    return { compiled, version };
  }

  private checkOutput(config: AiConfig): ErrorDetail[] {
    const outputType = config.output_type ?? 'text';
    if (!this.parsers.has(outputType)) {
      return [
        { path: 'ai_config.output_type', message: `must be one of ${this.parsers.names().join(', ')}` },
      ];
    }
    const options = { choices: config.options?.choices, schema: config.output_schema };
    const found = this.parsers.get(outputType).check?.(options) ?? [];
    return found.map(({ path, message }) => ({ path: outputPath(path), message }));
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
      const tenantLimit = await this.budgets.limitOf(em, tenantId, 'tenant', TENANT_SCOPE_ID);
      if (config.budget_limit_cents === undefined && tenantLimit === undefined) return [];
      if (await this.prices.find(em, tenantId, provider.name, model, new Date())) return [];
      return [
        {
          path: 'ai_config.model',
          message: `"${model}" has no known price, and a budget applies: choose a model with a price, or add its price`,
        },
      ];
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      return error.errors.map(({ path, message }) => ({ path: `ai_config.${path}`, message }));
    }
  }
}

const NO_TOOLS: ErrorDetail = {
  path: 'ai_config.enable_tools',
  message: 'no provider of this installation offers tools: leave it out',
};

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
