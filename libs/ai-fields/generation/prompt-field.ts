import type { PromptedCall } from '#libs/processing';
import type { Json } from '#libs/common';
import type { CollectedField } from './collected-field.js';

/** The prompt step: expands a field's texts for one record. */
export function promptField(collected: CollectedField, currentFingerprint?: string): PromptedCall {
  const { field, settings, record, left, sources } = collected;
  const { config } = field;
  const input = { values: record.values, variables: variablesOf(collected), exclude: left };
  return {
    provider: config.provider,
    model: config.model ?? settings.defaultModel,
    system: field.system?.expand(input),
    prompt: field.prompt.expand(input),
    maxTokens: config.max_tokens ?? settings.defaultMaxTokens,
    temperature: config.temperature ?? settings.defaultTemperature,
    outputType: config.output_type ?? 'text',
    parserOptions: { choices: config.options?.choices, schema: config.output_schema },
    cacheSeconds: config.cache_duration ?? settings.cacheSeconds,
    currentFingerprint,
    config,
    sources,
  };
}

/** The context variables of a field's prompt. */
export function variablesOf({
  record,
  compiled,
  names,
}: Pick<CollectedField, 'record' | 'compiled' | 'names'>): Record<string, Json> {
  return {
    record_id: record.id,
    pipeline_name: compiled.pipeline.name,
    tenant_name: names.tenant,
    current_user: names.user,
  };
}
