import type { LlmAnswer } from '../llm-provider.js';
import { openAiUsage } from './openai-usage.js';

export type ReadAnswer = Pick<LlmAnswer, 'text' | 'stopReason' | 'usage' | 'model'>;

/** What little is known of an answer without a usable choice. */
export interface UnusableAnswer {
  /** The answer lacks this, in words that finish "an answer …". */
  problem: string;
  usage?: LlmAnswer['usage'];
  /** What a gateway says that reports a failure of the provider behind it with a success status. */
  said?: string;
}

const STOP_REASONS = new Map<unknown, LlmAnswer['stopReason']>([
  ['stop', 'stop'],
  ['length', 'length'],
  ['content_filter', 'refusal'],
]);

/** Reads the body of a successful Chat Completions answer. It comes from outside: nothing about it is assumed. */
export function readOpenAiAnswer(body: string, requestedModel: string): ReadAnswer | UnusableAnswer {
  const completion = parse(body);
  if (completion === undefined) return { problem: 'that is not JSON' };
  const usage = openAiUsage(member(completion, 'usage'));
  const choices = member(completion, 'choices');
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const message = member(choice, 'message');
  if (typeof message !== 'object' || message === null) return { ...withoutChoices(completion), usage };
  const content = contentText(member(message, 'content'));
  if (content === undefined) return { problem: 'whose content is not text', usage };
  const refusal = member(message, 'refusal');
  const refused = typeof refusal === 'string' && refusal !== '';
  const model = member(completion, 'model');
  return {
    text: content || (refused ? refusal : ''),
    stopReason: refused ? 'refusal' : (STOP_REASONS.get(member(choice, 'finish_reason')) ?? 'other'),
    usage,
    model: typeof model === 'string' && model !== '' ? model.slice(0, 200) : requestedModel,
  };
}

function withoutChoices(completion: unknown): UnusableAnswer {
  const error = member(completion, 'error');
  const said = typeof error === 'string' ? error : member(error, 'message');
  return { problem: 'without choices', said: typeof said === 'string' ? said : undefined };
}

/** Text, nothing, or, from some servers, a list of parts of which those of type `text` count. */
function contentText(content: unknown): string | undefined {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part) => (member(part, 'type') === 'text' ? member(part, 'text') : ''));
  return texts.every((text) => typeof text === 'string') ? texts.join('') : undefined;
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // reported by the caller as an answer that is not JSON
  }
}
