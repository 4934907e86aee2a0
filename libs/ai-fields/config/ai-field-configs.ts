import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import {
  centsToNano,
  FieldsmithError,
  nanoToCents,
  InvalidInputError,
  type ErrorDetail,
  type Json,
} from '#libs/common';
import { Budgets, PriceBook, TENANT_SCOPE_ID } from '#libs/accounting';
import { PIPELINE_SCHEMAS, type HostPipeline, type PipelineSchemas, type Principal } from '#libs/host';
import { ProviderRegistry } from '#libs/llm';
import { ParserRegistry } from '#libs/processing';
import { TenantSettingsStore, type TenantSettings } from '#libs/tenants';
import { subjectOf } from '../generation/subject.js';
import type { AiConfig } from './ai-config.js';
import {
  compilePipeline,
  fieldsMadeFrom,
  type CompiledPipeline,
  type StoredConfig,
} from './compile-pipeline.js';
import { readAiConfig } from './read-config.js';
import { FieldPurge } from './field-purge.js';

interface ConfigRow {
  field: string;
  version: number;
  config: AiConfig;
}

const CACHED_PIPELINES = 500;

/** The configurations of AI fields: checked and saved under the host's lock on the pipeline, compiled when they are used. */
@Injectable()
export class AiFieldConfigs {
  private readonly compiled = new LRUCache<string, CompiledPipeline>({ max: CACHED_PIPELINES });

  // The collaborators are what a configuration is checked against.
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    private readonly settings: TenantSettingsStore,
    private readonly budgets: Budgets,
    private readonly prices: PriceBook,
    private readonly providers: ProviderRegistry,
    private readonly parsers: ParserRegistry,
    private readonly purge: FieldPurge,
  ) {}

  /**
   * Checks a configuration whole and saves it.
   *
   * @param pipeline as it will be after the change; the host holds a lock on it.
   * @throws InvalidInputError with every error at once, paths below `ai_config`.
   */
  async save(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slug: string,
    aiConfig: unknown,
  ): Promise<void> {
    const { tenantId } = principal;
    const config = readAiConfig(aiConfig);
    const settings = await this.settings.read(em, tenantId);
    const configs = await this.load(em, tenantId, pipeline.id);
    configs.set(slug, { config, version: (configs.get(slug)?.version ?? 0) + 1 });
    await this.check(em, tenantId, pipeline, slug, configs, settings);
    await em.query(
      `INSERT INTO ai_field_configs AS c (tenant_id, pipeline_id, field, config) VALUES ($1, $2, $3, $4)
       ON CONFLICT (tenant_id, pipeline_id, field) DO UPDATE SET config = excluded.config, version = c.version + 1, updated_at = now()`,
      [tenantId, pipeline.id, slug, JSON.stringify(config)],
    );
    await this.saveBudget(em, tenantId, `${pipeline.id}:${slug}`, config.budget_limit_cents);
    await this.refreshUpstream(em, tenantId, compilePipeline(pipeline, configs, settings));
  }

  /**
   * The configuration of every AI field of a pipeline, by slug. Its budget is the one limit there is, wherever it was set.
   */
  async read(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
  ): Promise<Record<string, Record<string, Json>>> {
    const configs = await this.load(em, tenantId, pipelineId);
    const shown: Record<string, Record<string, Json>> = {};
    for (const [slug, { config }] of configs) {
      const { budget_limit_cents: _saved, ...rest } = config as unknown as Record<string, Json>;
      const limit = await this.budgets.limitOf(em, tenantId, 'field', `${pipelineId}:${slug}`);
      shown[slug] = limit === undefined ? rest : { ...rest, budget_limit_cents: nanoToCents(limit) };
    }
    return shown;
  }

  /**
   * @throws FieldsmithError `field_in_use` (409) naming the AI fields whose texts or triggers reference the field.
   */
  async fieldRemoved(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slug: string,
  ): Promise<void> {
    const { tenantId } = principal;
    const compiled = await this.compile(em, tenantId, pipeline);
    this.refuseIfUsed(compiled, slug, 'deleted');
    await em.query('DELETE FROM ai_field_configs WHERE tenant_id = $1 AND pipeline_id = $2 AND field = $3', [
      tenantId,
      pipeline.id,
      slug,
    ]);
    await this.budgets.removeLimit(em, tenantId, 'field', `${pipeline.id}:${slug}`);
    await this.purge.dropField(em, tenantId, pipeline.id, slug, fieldsMadeFrom(compiled, slug));
  }

  /** @throws FieldsmithError `field_in_use` (409) when a prompt names the field. */
  async fieldMadeSensitive(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slug: string,
  ): Promise<void> {
    const before = {
      ...pipeline,
      fields: pipeline.fields.map((field) => (field.slug === slug ? { ...field, sensitive: false } : field)),
    };
    const compiled = await this.compile(em, principal.tenantId, before);
    this.refuseIfUsed(compiled, slug, 'marked sensitive');
    const madeFrom = fieldsMadeFrom(compiled, slug);
    await this.purge.forget(em, principal.tenantId, pipeline.id, slug, madeFrom);
  }

  /** @throws InvalidInputError when an AI field would no longer compile. */
  async pipelineChanged(em: EntityManager, principal: Principal, pipeline: HostPipeline): Promise<void> {
    const compiled = await this.compile(em, principal.tenantId, pipeline);
    const [broken] = compiled.broken;
    if (!broken) return;
    const [slug, error] = broken;
    const errors = error.errors.map(({ message }): ErrorDetail => ({
      path: 'field',
      message: `the AI field "${slug}" would no longer work: ${message}`,
    }));
    throw new InvalidInputError(errors, 'field_in_use');
  }

  /** The compiled AI fields of a pipeline at one version, for these settings; undefined where the pipeline is gone. */
  async at(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    version: string,
    settings: TenantSettings,
  ): Promise<CompiledPipeline | undefined> {
    const key = cacheKey(tenantId, pipelineId, version, settings);
    const known = this.compiled.get(key);
    if (known) return known;
    const pipeline = await this.schemas.read(em, tenantId, pipelineId);
    if (!pipeline) return undefined;
    return this.remember(em, tenantId, pipeline, settings);
  }

  /** The same for a pipeline that the caller has at hand. */
  async of(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    settings: TenantSettings,
  ): Promise<CompiledPipeline> {
    return (
      this.compiled.get(cacheKey(tenantId, pipeline.id, pipeline.version, settings)) ??
      this.remember(em, tenantId, pipeline, settings)
    );
  }

  /** Compiles a configuration that is not saved, among the saved ones. @throws InvalidInputError */
  async compileDraft(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    slug: string,
    config: AiConfig,
  ): Promise<CompiledPipeline> {
    const settings = await this.settings.read(em, tenantId);
    const configs = await this.load(em, tenantId, pipeline.id);
    configs.set(slug, { config, version: 0 });
    await this.check(em, tenantId, pipeline, slug, configs, settings);
    return compilePipeline(pipeline, configs, settings);
  }

  private async remember(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    settings: TenantSettings,
  ): Promise<CompiledPipeline> {
    const compiled = compilePipeline(pipeline, await this.load(em, tenantId, pipeline.id), settings);
    this.compiled.set(cacheKey(tenantId, pipeline.id, pipeline.version, settings), compiled);
    return compiled;
  }

  private async compile(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
  ): Promise<CompiledPipeline> {
    const settings = await this.settings.read(em, tenantId);
    return compilePipeline(pipeline, await this.load(em, tenantId, pipeline.id), settings);
  }

  private async load(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
  ): Promise<Map<string, StoredConfig>> {
    const rows = await em.query<ConfigRow[]>(
      'SELECT field, version, config FROM ai_field_configs WHERE tenant_id = $1 AND pipeline_id = $2 ORDER BY field',
      [tenantId, pipelineId],
    );
    return new Map(rows.map(({ field, version, config }) => [field, { version, config }]));
  }

  private async check(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    slug: string,
    configs: ReadonlyMap<string, StoredConfig>,
    settings: TenantSettings,
  ): Promise<void> {
    const { config } = configs.get(slug)!;
    const errors: ErrorDetail[] = [
      ...this.checkOutput(config),
      ...(await this.checkModel(em, tenantId, config, settings)),
    ];
    if (config.enable_tools) {
      errors.push({
        path: 'ai_config.enable_tools',
        message: 'no provider of this installation offers tools: leave it out',
      });
    }
    let code = 'invalid_ai_config';
    try {
      compilePipeline(pipeline, configs, settings, { strict: slug });
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      code = error.code;
      errors.push(...error.errors);
    }
    if (errors.length > 0) throw new InvalidInputError(errors, code);
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

  private async saveBudget(
    em: EntityManager,
    tenantId: string,
    scopeId: string,
    cents: number | undefined,
  ): Promise<void> {
    if (cents === undefined) await this.budgets.removeLimit(em, tenantId, 'field', scopeId);
    else await this.budgets.setLimit(em, tenantId, 'field', scopeId, centsToNano(cents));
  }

  /** Pending jobs wait for what is upstream of them by the graph as it is now. */
  private async refreshUpstream(
    em: EntityManager,
    tenantId: string,
    compiled: CompiledPipeline,
  ): Promise<void> {
    for (const [slug, upstream] of compiled.upstream) {
      await em.query(
        `UPDATE ai_jobs SET upstream = ARRAY(SELECT record_id || $4 || u FROM unnest($5::text[]) u)
          WHERE tenant_id = $1 AND pipeline_id = $2 AND field = $3 AND status = 'pending'
            AND upstream IS DISTINCT FROM ARRAY(SELECT record_id || $4 || u FROM unnest($5::text[]) u)`,
        [tenantId, compiled.pipeline.id, slug, subjectOf('', ''), [...upstream]],
      );
    }
  }

  private refuseIfUsed(compiled: CompiledPipeline, slug: string, what: string): void {
    const users = [...compiled.fields.values()].filter(
      ({ field, references, config }) =>
        field.slug !== slug && (references.has(slug) || config.trigger_fields?.includes(slug)),
    );
    if (users.length === 0) return;
    const errors = users.map(({ field }) => ({
      path: `fields.${field.slug}.ai_config`,
      message: `"${field.name}" references "${slug}"`,
    }));
    const names = users.map(({ field }) => `"${field.name}"`).join(', ');
    throw new FieldsmithError(
      'field_in_use',
      `The field "${slug}" cannot be ${what}: the AI fields ${names} reference it. Change their prompts first.`,
      { status: 409, errors },
    );
  }
}

function outputPath(path: string): string {
  if (path.startsWith('choices')) return `ai_config.options.${path}`;
  return path.startsWith('schema') ? path.replace(/^schema/, 'ai_config.output_schema') : `ai_config.${path}`;
}

function cacheKey(tenantId: string, pipelineId: string, version: string, settings: TenantSettings): string {
  const { deniedFields, defaultModel, defaultMaxTokens, defaultTemperature } = settings;
  return JSON.stringify([
    tenantId,
    pipelineId,
    version,
    deniedFields,
    defaultModel,
    defaultMaxTokens,
    defaultTemperature,
  ]);
}
