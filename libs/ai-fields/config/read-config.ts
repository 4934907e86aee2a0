import { centsProblem, InvalidInputError, type ErrorDetail, type Json } from '#libs/common';
import type { AiConfig } from './ai-config.js';

type Check = (value: unknown) => string | undefined;

const text =
  (max: number, min = 1): Check =>
  (value) =>
    typeof value === 'string' && value.length >= min && value.length <= max
      ? undefined
      : `must be a text of ${min} to ${max} characters`;
const number =
  (min: number, max: number): Check =>
  (value) =>
    typeof value === 'number' && value >= min && value <= max
      ? undefined
      : `must be a number from ${min} to ${max}`;
const integer =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `must be a whole number from ${min} to ${max}`;
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const texts =
  (max: number, maxChars = 100): Check =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every((item) => text(maxChars)(item) === undefined)
      ? undefined
      : `must be a list of at most ${max} texts of 1 to ${maxChars} characters`;
const oneOf =
  (...names: string[]): Check =>
  (value) =>
    names.includes(value as string) ? undefined : `must be one of ${names.join(', ')}`;
const object: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object';

const MAX_FALLBACK_CHARS = 100_000;
const MAX_PROMPT_CHARS = 100_000;
const MAX_TOOL_CALLS = 20;
const YEAR_SECONDS = 31_536_000;

const CHECKS: Record<keyof AiConfig, Check> = {
  prompt: text(MAX_PROMPT_CHARS),
  model: text(200),
  provider: text(100),
  temperature: number(0, 2),
  max_tokens: integer(1, 1_000_000),
  system_message: text(MAX_PROMPT_CHARS, 0),
  output_type: text(50),
  output_schema: object,
  options: (value) => object(value) ?? choices((value as { choices?: unknown }).choices),
  enable_tools: flag,
  allowed_tools: texts(20),
  max_tool_calls: integer(1, MAX_TOOL_CALLS),
  vector_store_ids: texts(10),
  auto_regenerate: flag,
  trigger_fields: texts(200),
  excluded_fields: texts(500),
  include_ai_fields: flag,
  cache_duration: integer(0, YEAR_SECONDS),
  budget_limit_cents: centsProblem,
  only_if_empty: flag,
  condition: text(10_000, 0),
  debounce_ms: integer(0, 60_000),
  on_manual_edit: oneOf('lock', 'overwrite'),
  fallback_value: (value) =>
    JSON.stringify(value).length <= MAX_FALLBACK_CHARS
      ? undefined
      : `must be at most ${MAX_FALLBACK_CHARS} characters of JSON`,
};

function choices(value: unknown): string | undefined {
  return value === undefined ? undefined : texts(500, 500)(value);
}

/** Keys of the configuration that need a part of the product which is not there. */
const UNAVAILABLE: Record<string, string> = {
  prompt_template:
    'names a template of the prompt library, which this installation does not have: write the prompt here',
};

/**
 * Reads a configuration from outside: its shape only, every error at once. `null` stands for "not given".
 *
 * @throws InvalidInputError with paths below `ai_config`.
 */
export function readAiConfig(input: unknown): AiConfig {
  if (object(input))
    throw new InvalidInputError([{ path: 'ai_config', message: 'must be an object with at least a prompt' }]);
  const errors: ErrorDetail[] = [];
  const config: Record<string, Json> = {};
  for (const [key, value] of Object.entries(input as Record<string, Json>)) {
    if (value === null || value === undefined) continue;
    const check = Object.hasOwn(CHECKS, key) ? CHECKS[key as keyof AiConfig] : undefined;
    const problem = check
      ? check(value)
      : (UNAVAILABLE[key] ?? `is not known: use ${Object.keys(CHECKS).join(', ')}`);
    if (problem) errors.push({ path: `ai_config.${key.slice(0, 100)}`, message: problem });
    else config[key] = value;
  }
  if (config['prompt'] === undefined && !errors.some(({ path }) => path === 'ai_config.prompt')) {
    errors.push({
      path: 'ai_config.prompt',
      message: 'is missing: write what the model is asked, such as "Summarise {name}: {*}"',
    });
  }
  if (errors.length > 0) throw new InvalidInputError(errors, 'invalid_ai_config');
  return config as unknown as AiConfig;
}
