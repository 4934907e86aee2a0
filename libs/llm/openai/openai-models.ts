import type { WarnedConfig } from '../llm-provider.js';

/** o1, o3, o4 and GPT-5 or later; gateways put the vendor first (`openai/gpt-5`). */
const REASONING = /^(openai\/)?(o\d|gpt-([5-9]|\d\d))/;
/** Models that OpenAI serves on another API than Chat Completions. */
const NOT_CHAT = /^(o\d|gpt-5)-pro|-deep-research|-codex|^codex-|^computer-use/;

/** Whether a model reasons before it answers: it refuses every temperature but 1, and `max_tokens`. */
export function isReasoningModel(model: string): boolean {
  return REASONING.test(model);
}

/** What OpenAI would ignore or refuse in a configuration, in words for the admin. */
export function openAiWarnings({ model, temperature, tools }: WarnedConfig): string[] {
  const warnings: string[] = [];
  if (tools?.includes('image_generation')) {
    warnings.push('image_generation: only the text of an answer is stored, a picture in it is not kept.');
  }
  if (NOT_CHAT.test(model) && !tools) {
    warnings.push(
      `${model} is not served by OpenAI's Chat Completions API, which is used without tools: calls would be refused.`,
    );
  }
  if (temperature === undefined) return warnings;
  if (isReasoningModel(model) && temperature !== 1) {
    warnings.push(
      `${model} takes no temperature other than 1: the temperature of ${temperature} is not sent.`,
    );
  } else if (!(temperature >= 0 && temperature <= 2)) {
    warnings.push(`temperature must be between 0 and 2: ${temperature} would be refused.`);
  }
  return warnings;
}
