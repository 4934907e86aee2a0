import type { JsonObject } from './wire.js';

const OPENAI = [
  'gpt-4.1',
  'gpt-4.1-mini',
  'gpt-4.1-nano',
  'gpt-4o',
  'gpt-4o-mini',
  'gpt-5',
  'gpt-5-mini',
  'gpt-5-nano',
  'gpt-5.1',
  'gpt-5.2',
  'gpt-5.4',
  'gpt-5.4-mini',
  'gpt-5.5',
  'o3',
  'o4-mini',
];
const ANTHROPIC = [
  'claude-haiku-4-5',
  'claude-opus-4-5',
  'claude-opus-5',
  'claude-sonnet-4-5',
  'claude-sonnet-5',
  'claude-sonnet-5-5',
];
const CREATED = 1_767_225_600;

/** `GET /v1/models` as OpenAI answers it. The simulator takes any other model as well. */
export function openaiModels(): JsonObject {
  return {
    object: 'list',
    data: OPENAI.map((id) => ({ id, object: 'model', created: CREATED, owned_by: 'simulator' })),
  };
}

/** `GET /v1/models` as Anthropic answers it. */
export function anthropicModels(): JsonObject {
  const data = ANTHROPIC.map((id) => ({
    type: 'model',
    id,
    display_name: id,
    created_at: new Date(CREATED * 1000).toISOString(),
    lifecycle: 'active',
    capabilities: null,
    deprecated_at: null,
    line: null,
    max_input_tokens: null,
    max_tokens: null,
    retires_at: null,
  }));
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}
