import type { Citation } from './llm-provider.js';

const MOST_CITATIONS = 100;
const LONGEST = { url: 2_000, title: 300, quote: 1_000, fileId: 200 } as const;

/** Citations as they are kept: each once, at lengths and in a number that can be stored. */
export function keptCitations(found: readonly Citation[]): Citation[] {
  const kept = new Map<string, Citation>();
  for (const citation of found) {
    const short = shortened(citation);
    if (Object.keys(short).length > 0) kept.set(JSON.stringify(short), short);
    if (kept.size === MOST_CITATIONS) break;
  }
  return [...kept.values()];
}

function shortened(citation: Citation): Citation {
  const short: Citation = {};
  for (const key of Object.keys(LONGEST) as (keyof typeof LONGEST)[]) {
    const text = citation[key];
    if (text !== undefined && text !== '') short[key] = text.slice(0, LONGEST[key]);
  }
  return short;
}

/**
 * The parts of an answer that come after the last use of a tool, or all of them where nothing does: before it a model
 * says what it is about to look up, which is no part of the value.
 */
export function afterLastTool<T>(
  parts: readonly T[],
  isTool: (part: T) => boolean,
  hasText: (part: T) => boolean,
): T[] {
  const last = parts.map(isTool).lastIndexOf(true);
  const after = parts.slice(last + 1);
  return after.some(hasText) ? after : [...parts];
}
