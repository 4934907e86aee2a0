import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import type { LlmRequest, ResponseSchema } from '../llm-provider.js';
import { isReasoningModel } from './openai-models.js';
import { fitsStrictMode } from './strict-schema.js';

export type OpenAiBody = ChatCompletionCreateParamsNonStreaming;

/** Whether a base URL is OpenAI's own, one of its regions included. */
export function isOpenAiUrl(baseUrl: string): boolean {
  return URL.canParse(baseUrl) && /(^|\.)api\.openai\.com$/.test(new URL(baseUrl).hostname);
}

/**
 * The body of a Chat Completions request.
 *
 * | | OpenAI's own address | another |
 * |---|---|---|
 * | output bound | `max_completion_tokens` | `max_tokens`, which is all that many servers know; for reasoning models, which refuse it, `max_completion_tokens` |
 * | `service_tier`, `store` | sent, so that price and storage do not depend on the project's settings | not sent: unknown there, and refused by some |
 * | `temperature` | not for reasoning models | the same |
 */
export function openAiBody(request: LlmRequest, atOpenAi: boolean): OpenAiBody {
  const { model, system, messages, maxTokens, temperature, responseSchema } = request;
  const reasoning = isReasoningModel(model);
  return {
    model,
    messages: [
      ...(system ? [{ role: 'system' as const, content: system }] : []),
      ...messages.map(({ role, content }) => ({ role, content })),
    ],
    ...(atOpenAi || reasoning ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }),
    ...(temperature !== undefined && !reasoning ? { temperature } : {}),
    ...(responseSchema
      ? { response_format: { type: 'json_schema' as const, json_schema: schemaFormat(responseSchema) } }
      : {}),
    ...(atOpenAi ? { service_tier: 'default' as const, store: false } : {}),
  };
}

/** A schema the way both of OpenAI's APIs take it. */
export function schemaFormat({ name, schema }: ResponseSchema) {
  const validName = name.replace(/[^\w-]/g, '_').slice(0, 64) || 'answer';
  return { name: validName, schema, strict: fitsStrictMode(schema) };
}
