import { listOf, member, modelNamed, parseJson, textOf } from '../http/read-json.js';
import type { UnusableAnswer } from '../http/provider-line.js';
import type { LlmAnswer } from '../llm-provider.js';
import { openAiUsage } from './openai-usage.js';

export type ReadAnswer = Pick<LlmAnswer, 'text' | 'stopReason' | 'usage' | 'model' | 'citations'>;

const STOP_REASONS = new Map<unknown, LlmAnswer['stopReason']>([
  ['stop', 'stop'],
  ['length', 'length'],
  ['content_filter', 'refusal'],
]);

/** Reads the body of a successful Chat Completions answer. It comes from outside: nothing about it is assumed. */
export function readOpenAiAnswer(body: string, requestedModel: string): ReadAnswer | UnusableAnswer {
  const completion = parseJson(body);
  if (completion === undefined) return { problem: 'that is not JSON' };
  const usage = openAiUsage(member(completion, 'usage'));
  const [choice] = listOf(completion, 'choices');
  const message = member(choice, 'message');
  if (typeof message !== 'object' || message === null) {
    return { problem: 'without choices', said: saidBy(completion), usage };
  }
  const content = contentText(member(message, 'content'));
  if (content === undefined) return { problem: 'whose content is not text', usage };
  const refusal = textOf(message, 'refusal');
  return {
    text: content || (refusal ?? ''),
    stopReason:
      refusal !== undefined ? 'refusal' : (STOP_REASONS.get(member(choice, 'finish_reason')) ?? 'other'),
    usage,
    model: modelNamed(completion, requestedModel),
  };
}

/** What an answer with a success status says of an error. */
export function saidBy(answer: unknown): string | undefined {
  return textOf(answer, 'error') ?? textOf(member(answer, 'error'), 'message');
}

/** Text, nothing, or, from some servers, a list of parts of which those of type `text` count. */
function contentText(content: unknown): string | undefined {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part) => (member(part, 'type') === 'text' ? member(part, 'text') : ''));
  return texts.every((text) => typeof text === 'string') ? texts.join('') : undefined;
}
