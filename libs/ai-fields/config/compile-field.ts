import { hashOf, InvalidInputError, type ErrorDetail } from '#libs/common';
import type { HostField, HostPipeline } from '#libs/host';
import {
  compileCondition,
  compilePrompt,
  didYouMean,
  isDenied,
  type CompiledCondition,
  type CompiledPrompt,
} from '#libs/prompt-language';
import type { TenantSettings } from '#libs/tenants';
import { FIELD_VARIABLES, type AiConfig } from './ai-config.js';
import { toolsOf } from './field-tools.js';

/** An AI field ready to be used: its texts compiled, its reads known. */
export interface CompiledField {
  field: HostField;
  config: AiConfig;
  version: number;
  prompt: CompiledPrompt;
  system?: CompiledPrompt;
  condition?: CompiledCondition;
  /** Every field that its texts read. */
  reads: ReadonlySet<string>;
  /** Fields that its texts name one by one, not through `{*}`. */
  references: ReadonlySet<string>;
  /** Fields whose change makes it due. */
  triggers: ReadonlySet<string>;
  /** Fields that must not reach its prompt, with the reason. */
  excluded: ReadonlyMap<string, string>;
  promptHash: string;
  configHash: string;
}

/** The settings of a tenant that a prompt depends on. */
export type CompileSettings = Pick<
  TenantSettings,
  'deniedFields' | 'defaultModel' | 'defaultMaxTokens' | 'defaultTemperature' | 'enableTools'
>;

export interface FieldSource {
  pipeline: HostPipeline;
  field: HostField;
  config: AiConfig;
  version: number;
  settings: CompileSettings;
  /** Further fields that are excluded: AI fields whose values are made from an excluded one. */
  tainted?: ReadonlyMap<string, string>;
}

/** Compiles one AI field. @throws InvalidInputError with every error of all its texts, at paths below `ai_config`. */
export function compileField(source: FieldSource): CompiledField {
  const { pipeline, field, config, settings } = source;
  const excluded = exclusionsOf(source);
  const errors: ErrorDetail[] = [];
  const compile = <T>(
    key: string,
    text: string | undefined,
    compiler: typeof compilePrompt | typeof compileCondition,
  ): T | undefined => {
    if (text === undefined) return undefined;
    const scope = {
      fields: pipeline.fields,
      variables: FIELD_VARIABLES,
      excluded,
      includeAiFields: config.include_ai_fields ?? false,
      path: `ai_config.${key}`,
      self: field.slug,
    };
    try {
      return compiler(text, scope) as T;
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      errors.push(...error.errors);
      return undefined;
    }
  };
  const prompt = compile<CompiledPrompt>('prompt', config.prompt, compilePrompt);
  const system = compile<CompiledPrompt>('system_message', config.system_message, compilePrompt);
  const condition = compile<CompiledCondition>('condition', config.condition, compileCondition);
  errors.push(...unknownFields(pipeline, config));
  if (errors.length > 0 || !prompt) throw new InvalidInputError(errors, 'invalid_ai_config');

  const texts = [prompt, ...(system ? [system] : []), ...(condition ? [condition] : [])];
  const reads = new Set(texts.flatMap((text) => text.fields));
  return {
    field,
    config,
    version: source.version,
    prompt,
    system,
    condition,
    reads,
    references: new Set(texts.flatMap((text) => text.references)),
    triggers: config.trigger_fields ? new Set(config.trigger_fields) : reads,
    excluded,
    promptHash: hashOf({ prompt: config.prompt, system: config.system_message }),
    configHash: configHash(config, settings),
  };
}

function exclusionsOf({ pipeline, config, settings, tainted }: FieldSource): Map<string, string> {
  const excluded = new Map(tainted);
  for (const field of pipeline.fields) {
    if (isDenied(field.slug, settings.deniedFields))
      excluded.set(field.slug, "it is on the tenant's list of denied fields");
  }
  for (const slug of config.excluded_fields ?? []) excluded.set(slug, "it is in the field's excluded_fields");
  for (const field of pipeline.fields)
    if (field.sensitive) excluded.set(field.slug, 'it is marked sensitive');
  return excluded;
}

function unknownFields(pipeline: HostPipeline, config: AiConfig): ErrorDetail[] {
  return unknownNames(pipeline, config.trigger_fields).map(({ message }) => ({
    path: 'ai_config.trigger_fields',
    message,
  }));
}

/**
 * Names in `excluded_fields` that are no field. Looked for only when a configuration is saved: a field that is deleted
 * later takes nothing from one that hides it.
 */
export function unknownExclusions(pipeline: HostPipeline, config: AiConfig): ErrorDetail[] {
  return unknownNames(pipeline, config.excluded_fields).map(({ n, message }) => ({
    path: `ai_config.excluded_fields.${n}`,
    message,
  }));
}

function unknownNames(pipeline: HostPipeline, names: string[] = []): { n: number; message: string }[] {
  const slugs = new Set(pipeline.fields.map((field) => field.slug));
  return [...names.entries()]
    .filter(([, name]) => !slugs.has(name))
    .map(([n, name]) => ({
      n,
      message: `names ${JSON.stringify(name)}, which is no field of this pipeline: take it out or correct it.${didYouMean(name, slugs)}`,
    }));
}

/** Hash of everything but the texts that determines what a generation gives. */
function configHash(config: AiConfig, settings: CompileSettings): string {
  return hashOf({
    model: config.model ?? settings.defaultModel,
    provider: config.provider,
    temperature: config.temperature ?? settings.defaultTemperature,
    maxTokens: config.max_tokens ?? settings.defaultMaxTokens,
    outputType: config.output_type ?? 'text',
    outputSchema: config.output_schema,
    options: config.options,
    tools: toolsOf(config, settings),
    excluded: [...(config.excluded_fields ?? [])].sort(),
    includeAiFields: config.include_ai_fields ?? false,
  });
}
