import type { ErrorDetail } from '#libs/common';

/** Levels of nesting that any body may have. */
export const MAX_BODY_DEPTH = 100;

const REFUSED = new Set(['__proto__', 'constructor', 'prototype']);

interface Place {
  value: object;
  path: string;
  depth: number;
}

/**
 * What makes a body unfit for any endpoint: keys that reach for a prototype, which libraries would drop silently, texts
 * that cannot be stored, and nesting that would exhaust the stack of whoever walks it. Does not recurse itself.
 */
export function bodyErrors(body: unknown): ErrorDetail[] {
  const errors: ErrorDetail[] = [];
  const open: Place[] = isObject(body) ? [{ value: body, path: '', depth: 1 }] : [];
  for (let place = open.pop(); place && errors.length < 20; place = open.pop()) {
    if (place.depth > MAX_BODY_DEPTH) return [tooDeep(place.path)];
    for (const [key, value] of Object.entries(place.value)) {
      const path = place.path ? `${place.path}.${key.slice(0, 100)}` : key.slice(0, 100);
      if (REFUSED.has(key) && !Array.isArray(place.value))
        errors.push({ path, message: 'A key may not be called this.' });
      else if (typeof value === 'string' && !isStorable(value)) errors.push({ path, message: UNSTORABLE });
      else if (!isStorable(key)) errors.push({ path: JSON.stringify(path), message: UNSTORABLE });
      else if (isObject(value)) open.push({ value, path, depth: place.depth + 1 });
    }
  }
  return errors;
}

const UNSTORABLE = 'Holds a NUL or half a character: take it out.';

/** Whether a text can be stored; also for texts of paths and queries. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function tooDeep(path: string): ErrorDetail {
  return { path: path.slice(0, 200), message: `Nested too deeply: at most ${MAX_BODY_DEPTH} levels.` };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
