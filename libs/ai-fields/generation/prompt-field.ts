import type { PromptedCall } from '#libs/processing';
import type { Json } from '#libs/common';
import { parserOptionsOf } from '../config/ai-config.js';
import { toolsOf } from '../config/field-tools.js';
import type { CollectedField } from './collected-field.js';
import { dataMarks, marksExplained } from './data-marks.js';

/** The prompt step: expands a field's texts for one record. */
export function promptField(collected: CollectedField): PromptedCall {
  const { field, settings, record, row, left, sources } = collected;
  const { config } = field;
  const variables = variablesOf(collected);
  const tools = toolsOf(config, settings);
  const marks = tools && dataMarks(field, collected.inputsHash, variables);
  const input = { values: record.values, variables, exclude: left, marks };
  const system = [field.system?.expand(input), marks && marksExplained(marks)].filter(Boolean).join('\n\n');
  return {
    provider: config.provider,
    model: config.model ?? settings.defaultModel,
    system: system || undefined,
    prompt: field.prompt.expand(input),
    maxTokens: config.max_tokens ?? settings.defaultMaxTokens,
    tools,
    temperature: config.temperature ?? settings.defaultTemperature,
    outputType: config.output_type ?? 'text',
    parserOptions: parserOptionsOf(config),
    cacheSeconds: config.cache_duration ?? settings.cacheSeconds,
    currentFingerprint: row?.overridden ? undefined : (row?.fingerprint ?? undefined),
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
