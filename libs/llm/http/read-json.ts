/** A member of a value that came from outside; undefined where there is none. */
export function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** A member that is a list; empty where it is something else. */
export function listOf(value: unknown, key: string): unknown[] {
  const list = member(value, key);
  return Array.isArray(list) ? (list as unknown[]) : [];
}

/** A member that is a text with something in it. */
export function textOf(value: unknown, key: string): string | undefined {
  const text = member(value, key);
  return typeof text === 'string' && text !== '' ? text : undefined;
}

/** A count as providers report it: a whole number of zero or more. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Undefined for what is not JSON: the caller reports it. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The model that answered as the provider names it, at a length that can be kept. */
export function modelNamed(answer: unknown, requested: string): string {
  return textOf(answer, 'model')?.slice(0, 200) ?? requested;
}
