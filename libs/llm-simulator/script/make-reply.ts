import { answerText } from '../answers/answer-text.js';
import { countTokens, firstTokens } from '../tokens.js';
import type { Ask, Reply, Usage } from '../wires/wire.js';
import type { ScriptAction } from './rules.js';
import { inputWithTools, NO_TOOLS, usualSources, usualUses } from './tool-uses.js';

const REFUSAL = "I'm sorry, but I can't help with that request.";

/** What a request is answered with: the usual answer, or the one its rule wants. */
export function makeReply(ask: Ask, action: ScriptAction | undefined): Reply {
  if (action?.type === 'refusal') return finished(ask, { text: REFUSAL, finish: 'refusal' });
  if (action?.type === 'answer') return scripted(ask, action);
  const text = answerText(ask);
  if (action?.type === 'malformed') return finished(ask, { text: brokenJson(ask, text), finish: 'stop' });
  if (action?.type === 'truncate') {
    const half = firstTokens(text, Math.max(1, Math.floor(countTokens(text) / 2)));
    return finished(ask, { text: half.text, finish: 'length' });
  }
  return finished(ask, bounded(ask, text));
}

function scripted(ask: Ask, action: Extract<ScriptAction, { type: 'answer' }>): Reply {
  const reply = finished(ask, bounded(ask, action.text));
  if (action.pause && reply.finish === 'stop') reply.finish = 'pause';
  if (action.usage === null) return { ...reply, usage: null };
  const usage = reply.usage && { ...reply.usage, ...action.usage };
  return { ...reply, usage, sources: action.sources ?? reply.sources };
}

/** Stop sequences and the token limit end an answer as the provider would. */
function bounded(ask: Ask, text: string): Omit<Reply, 'usage'> {
  const stopped = stopAt(text, ask.stopSequences);
  const kept = stopped?.text ?? text;
  if (ask.maxTokens !== undefined) {
    const head = firstTokens(kept, ask.maxTokens);
    if (head.cut) return { text: head.text, finish: 'length' };
  }
  return stopped
    ? { text: kept, finish: 'stop_sequence', stopSequence: stopped.sequence }
    : { text: kept, finish: 'stop' };
}

function stopAt(text: string, sequences: string[]): { text: string; sequence: string } | undefined {
  let first: { text: string; sequence: string } | undefined;
  for (const sequence of sequences) {
    const at = text.indexOf(sequence);
    if (at >= 0 && at < (first?.text.length ?? Infinity)) first = { text: text.slice(0, at), sequence };
  }
  return first;
}

function brokenJson({ wantsJson }: Ask, text: string): string {
  if (!wantsJson) return '{"value": ';
  return text.slice(0, Math.max(1, Math.floor(text.length * 0.6)));
}

function finished(ask: Ask, reply: Omit<Reply, 'usage'>): Reply {
  const uses = reply.finish === 'refusal' ? NO_TOOLS : usualUses(ask);
  const usage: Usage = {
    input_tokens: inputWithTools(ask.inputTokens, uses),
    cache_read_tokens: 0,
    cache_write_tokens: 0,
    cache_write_1h_tokens: 0,
    output_tokens: countTokens(reply.text),
    reasoning_tokens: 0,
    ...uses,
  };
  return { ...reply, sources: usualSources(ask, uses), usage };
}
