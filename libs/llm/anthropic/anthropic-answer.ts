import type { Json } from '#libs/common';
import type { UnusableAnswer } from '../http/provider-line.js';
import { listOf, member, modelNamed, parseJson, textOf } from '../http/read-json.js';
import type { Citation, Continuation, LlmAnswer } from '../llm-provider.js';
import { afterLastTool, keptCitations } from '../tool-answers.js';
import { anthropicUsage } from './anthropic-usage.js';

export type ReadAnswer = Omit<LlmAnswer, 'requestId' | 'durationMs'>;

const STOP_REASONS = new Map<unknown, LlmAnswer['stopReason']>([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'refusal'],
  ['pause_turn', 'pause'],
]);

const CODE_TOOLS = new Set<unknown>(['code_execution', 'bash_code_execution', 'text_editor_code_execution']);

/**
 * Reads the body of a successful Messages answer. It comes from outside: nothing about it is assumed.
 *
 * @param before what the same turn said before it was paused.
 */
export function readAnthropicAnswer(
  body: string,
  requestedModel: string,
  before?: Continuation,
): ReadAnswer | UnusableAnswer {
  const message = parseJson(body);
  if (message === undefined) return { problem: 'that is not JSON' };
  const content = member(message, 'content');
  const usage = anthropicUsage(member(message, 'usage'), codeRuns(listOf(message, 'content')));
  if (!Array.isArray(content)) {
    return { problem: 'without content', said: textOf(member(message, 'error'), 'message'), usage };
  }
  const blocks = [...(before?.content ?? []), ...(content as Json[])];
  const container = textOf(member(message, 'container'), 'id') ?? before?.container;
  const citations = keptCitations(blocks.flatMap((block) => citationsOf(block)));
  const stopReason = STOP_REASONS.get(member(message, 'stop_reason')) ?? 'other';
  return {
    text:
      textIn(afterLastTool(blocks, isToolBlock, isText)) ||
      (textOf(member(message, 'stop_details'), 'explanation') ?? ''),
    stopReason,
    usage,
    model: modelNamed(message, requestedModel),
    ...(citations.length > 0 ? { citations } : {}),
    ...(stopReason === 'pause'
      ? { continuation: { content: blocks, ...(container ? { container } : {}) } }
      : {}),
  };
}

function textIn(blocks: readonly unknown[]): string {
  return blocks.map((block) => (isText(block) ? textOf(block, 'text') : '')).join('');
}

function isText(block: unknown): boolean {
  return member(block, 'type') === 'text' && textOf(block, 'text') !== undefined;
}

function isToolBlock(block: unknown): boolean {
  return /^server_tool_use$|_tool_result$/.test(textOf(block, 'type') ?? '');
}

/** Uses of the code tool by what it is made of; unlike searches, `usage` does not tell them. */
function codeRuns(blocks: readonly unknown[]): number {
  const runs = blocks.filter(
    (block) => member(block, 'type') === 'server_tool_use' && CODE_TOOLS.has(member(block, 'name')),
  );
  return runs.length;
}

function citationsOf(block: unknown): Citation[] {
  return listOf(block, 'citations').map((citation) => ({
    url: textOf(citation, 'url'),
    title: textOf(citation, 'title') ?? textOf(citation, 'document_title'),
    quote: textOf(citation, 'cited_text'),
    fileId: textOf(citation, 'file_id'),
  }));
}
