import type { UnusableAnswer } from '../http/provider-line.js';
import { listOf, member, modelNamed, parseJson, textOf } from '../http/read-json.js';
import type { Citation, LlmAnswer } from '../llm-provider.js';
import { afterLastTool, keptCitations } from '../tool-answers.js';
import { saidBy, type ReadAnswer } from './openai-answer.js';
import { responsesUsage, type ToolCounts } from './openai-usage.js';

/** Actions of a search call that look at a page found before; only searching is charged. */
const FREE_ACTIONS = new Set<unknown>(['open_page', 'find_in_page', 'find']);

/** Reads the body of a successful Responses answer. It comes from outside: nothing about it is assumed. */
export function readResponsesAnswer(body: string, requestedModel: string): ReadAnswer | UnusableAnswer {
  const response = parseJson(body);
  if (response === undefined) return { problem: 'that is not JSON' };
  const items = listOf(response, 'output');
  const usage = responsesUsage(member(response, 'usage'), toolCounts(items));
  const stopReason = stopReasonOf(response);
  if (stopReason === undefined) return { problem: 'that failed', said: saidBy(response), usage };
  const parts = afterLastTool(items, isToolCall, (item) => listOf(item, 'content').length > 0).flatMap(
    (item) => listOf(item, 'content'),
  );
  const refusal = parts.map((part) => textOf(part, 'refusal')).find((text) => text !== undefined);
  const text = parts.map((part) => textOf(part, 'text') ?? '').join('');
  const citations = keptCitations(items.flatMap((item) => citationsOf(item)));
  return {
    text: text || (refusal ?? ''),
    stopReason: refusal === undefined ? stopReason : 'refusal',
    usage,
    model: modelNamed(response, requestedModel),
    ...(citations.length > 0 ? { citations } : {}),
  };
}

/** Undefined for a response that is none. */
function stopReasonOf(response: unknown): LlmAnswer['stopReason'] | undefined {
  switch (member(response, 'status')) {
    case 'completed':
      return 'stop';
    case 'incomplete': {
      const reason = member(member(response, 'incomplete_details'), 'reason');
      if (reason === 'max_output_tokens') return 'length';
      return reason === 'content_filter' ? 'refusal' : 'other';
    }
    default:
      return undefined;
  }
}

function isToolCall(item: unknown): boolean {
  return textOf(item, 'type')?.endsWith('_call') ?? false;
}

/** OpenAI tells no counts; what it charges for is in the output: searches, looks into files, containers and pictures. */
function toolCounts(items: readonly unknown[]): ToolCounts {
  const of = (type: string) => items.filter((item) => member(item, 'type') === type);
  const searches = of('web_search_call').filter(
    (item) => !FREE_ACTIONS.has(member(member(item, 'action'), 'type')),
  );
  const containers = new Set(of('code_interpreter_call').map((item) => textOf(item, 'container_id') ?? item));
  const counts: [keyof ToolCounts, number][] = [
    ['web_search', searches.length],
    ['code_interpreter', containers.size],
    ['image_generation', of('image_generation_call').length],
    ['file_search', of('file_search_call').length],
  ];
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

function citationsOf(item: unknown): Citation[] {
  return listOf(item, 'content')
    .flatMap((part) => listOf(part, 'annotations'))
    .map((annotation) => ({
      url: textOf(annotation, 'url'),
      title: textOf(annotation, 'title') ?? textOf(annotation, 'filename'),
      fileId: textOf(annotation, 'file_id'),
    }));
}
