import { isUnstorable } from './text-formats.js';

export interface JsonBounds {
  /** UTF-8 bytes of the JSON text. */
  maxBytes: number;
  /** Levels of arrays and objects. */
  maxDepth: number;
}

const REFUSED_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** What is wrong with free JSON, or undefined. Does not recurse, so any nesting may come. */
export function jsonProblem(value: unknown, { maxBytes, maxDepth }: JsonBounds): string | undefined {
  const open = [{ value, depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    if (typeof next.value === 'string' && isUnstorable(next.value))
      return 'May not hold NUL or broken characters.';
    if (typeof next.value === 'number' && !Number.isFinite(next.value))
      return 'Holds a number that is too large.';
    if (typeof next.value !== 'object' || next.value === null) continue;
    if (next.depth >= maxDepth) return `Nested too deeply: at most ${maxDepth} levels.`;
    for (const [key, member] of Object.entries(next.value)) {
      if (!Array.isArray(next.value) && REFUSED_KEYS.has(key)) return `A key may not be called ${key}.`;
      if (isUnstorable(key)) return 'A key may not hold NUL or broken characters.';
      open.push({ value: member, depth: next.depth + 1 });
    }
  }
  if (Buffer.byteLength(JSON.stringify(value)) <= maxBytes) return undefined;
  return `Too large: at most ${maxBytes.toLocaleString('en')} bytes as JSON.`;
}
