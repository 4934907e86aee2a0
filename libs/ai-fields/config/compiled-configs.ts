import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import { PIPELINE_SCHEMAS, type HostPipeline, type PipelineSchemas } from '#libs/host';
import type { TenantSettings } from '#libs/tenants';
import type { AiConfig } from './ai-config.js';
import { compilePipeline, type CompiledPipeline, type StoredConfig } from './compile-pipeline.js';

interface ConfigRow {
  field: string;
  version: number;
  config: AiConfig;
}

const CACHED_PIPELINES = 500;

/** The saved configurations, compiled when they are used and kept by the pipeline's version. */
@Injectable()
export class CompiledConfigs {
  private readonly compiled = new LRUCache<string, CompiledPipeline>({ max: CACHED_PIPELINES });

  constructor(@Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas) {}

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

  /** The ids of the pipelines that have AI fields. */
  async pipelineIds(em: EntityManager, tenantId: string): Promise<string[]> {
    const rows = await em.query<{ id: string }[]>(
      'SELECT DISTINCT pipeline_id AS id FROM ai_field_configs WHERE tenant_id = $1',
      [tenantId],
    );
    return rows.map(({ id }) => id);
  }

  /** The configurations of a pipeline as they are saved, by field slug. */
  async load(em: EntityManager, tenantId: string, pipelineId: string): Promise<Map<string, StoredConfig>> {
    const rows = await em.query<ConfigRow[]>(
      'SELECT field, version, config FROM ai_field_configs WHERE tenant_id = $1 AND pipeline_id = $2 ORDER BY field',
      [tenantId, pipelineId],
    );
    return new Map(rows.map(({ field, version, config }) => [field, { version, config }]));
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
}

/** Settings are read anew as new objects, so that what was made of one holds for as long as it lives. */
const settingsKeys = new WeakMap<TenantSettings, string>();

function cacheKey(tenantId: string, pipelineId: string, version: string, settings: TenantSettings): string {
  let ofSettings = settingsKeys.get(settings);
  if (ofSettings === undefined) {
    const { deniedFields, defaultModel, defaultMaxTokens, defaultTemperature, enableTools } = settings;
    ofSettings = JSON.stringify([
      deniedFields,
      defaultModel,
      defaultMaxTokens,
      defaultTemperature,
      enableTools,
    ]);
    settingsKeys.set(settings, ofSettings);
  }
  return JSON.stringify([tenantId, pipelineId, version, ofSettings]);
}
