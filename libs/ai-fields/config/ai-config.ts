import type { Json } from '#libs/common';
import type { ParserOptions } from '#libs/processing';

/** What happens to a value that a person writes over: it stays until it is reset, or until the next generation. */
export type OnManualEdit = 'lock' | 'overwrite';

/** The configuration of an AI field as it is given, stored and shown; keys as in the API. */
export interface AiConfig {
  prompt: string;
  /** Default: the tenant's. */
  model?: string;
  /** Default: found by the model. */
  provider?: string;
  temperature?: number;
  max_tokens?: number;
  system_message?: string;
  output_type?: string;
  output_schema?: Record<string, Json>;
  options?: { choices?: string[] };
  /** Whether {@link allowed_tools} may be used; default: the tenant's setting. */
  enable_tools?: boolean;
  /** Tools of the provider's own: `web_search`, `code_interpreter`, `image_generation`, `file_search`. */
  allowed_tools?: string[];
  /** Most uses of tools in one call; default 3. */
  max_tool_calls?: number;
  /** Where `file_search` looks: ids of vector stores at the provider. */
  vector_store_ids?: string[];
  /** Whether a change of a trigger field makes the field due; default true. */
  auto_regenerate?: boolean;
  /** Fields whose change makes the field due; default: every field the prompt reads. */
  trigger_fields?: string[];
  excluded_fields?: string[];
  include_ai_fields?: boolean;
  /** Seconds for which an equal request may be answered from the tenant's result cache. */
  cache_duration?: number;
  budget_limit_cents?: number;
  only_if_empty?: boolean;
  condition?: string;
  debounce_ms?: number;
  on_manual_edit?: OnManualEdit;
  fallback_value?: Json;
}

/** Milliseconds that edits of a busy value are gathered, unless configured otherwise. */
export const DEFAULT_DEBOUNCE_MS = 250;

/** The context variables that a field's prompt can name. */
export const FIELD_VARIABLES = ['record_id', 'pipeline_name', 'tenant_name', 'current_user'] as const;

/** What the parser of its output type goes by. */
export function parserOptionsOf(config: AiConfig): ParserOptions {
  return { choices: config.options?.choices, schema: config.output_schema };
}
