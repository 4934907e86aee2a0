import { Fault, type JsonObject } from './wire.js';

/** Most tokens a prompt may have: the largest context window of the providers. */
const CONTEXT_WINDOW = 1_050_000;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A {@link Fault} of status 400 at a path of the request. */
export function invalid(path: string, message: string, code: string | null = null): Fault {
  return new Fault(400, message, { param: path, code });
}

export function modelOf(body: JsonObject): string {
  if (body.model === undefined)
    throw invalid('model', "Missing required parameter: 'model'.", 'missing_required_parameter');
  if (typeof body.model !== 'string' || body.model === '')
    throw invalid('model', "Invalid type for 'model': expected a string.", 'invalid_type');
  return body.model;
}

export function booleanAt(body: JsonObject, name: string): boolean {
  const value = body[name] ?? false;
  if (typeof value !== 'boolean')
    throw invalid(name, `Invalid type for '${name}': expected a boolean.`, 'invalid_type');
  return value;
}

/** A number in a range, or undefined where it is not given. */
export function numberAt(body: JsonObject, name: string, low: number, high: number): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number')
    throw invalid(name, `Invalid type for '${name}': expected a number.`, 'invalid_type');
  if (value < low) {
    throw invalid(
      name,
      `Invalid '${name}': below minimum value. Expected a value >= ${low}, but got ${value} instead.`,
      'number_below_min_value',
    );
  }
  if (value > high) {
    throw invalid(
      name,
      `Invalid '${name}': above maximum value. Expected a value <= ${high}, but got ${value} instead.`,
      'number_above_max_value',
    );
  }
  return value;
}

export function integerAt(body: JsonObject, name: string, low: number): number | undefined {
  const value = numberAt(body, name, low, Number.MAX_SAFE_INTEGER);
  if (value !== undefined && !Number.isInteger(value))
    throw invalid(name, `Invalid type for '${name}': expected an integer.`, 'invalid_type');
  return value;
}

export function stringsAt(body: JsonObject, name: string): string[] {
  const value = body[name] ?? [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every((item) => typeof item === 'string' && item !== '')) {
    throw invalid(name, `Invalid type for '${name}': expected strings that are not empty.`, 'invalid_type');
  }
  return list as string[];
}

export function listAt(body: JsonObject, name: string): unknown[] {
  const value = body[name] ?? [];
  if (!Array.isArray(value))
    throw invalid(name, `Invalid type for '${name}': expected an array.`, 'invalid_type');
  return value as unknown[];
}

export function knownOnly(
  body: JsonObject,
  known: ReadonlySet<string>,
  wording: (name: string) => string,
): void {
  for (const name of Object.keys(body))
    if (!known.has(name)) throw invalid(name, wording(name), 'unknown_parameter');
}

export function withinContext(tokens: number): number {
  if (tokens <= CONTEXT_WINDOW) return tokens;
  throw invalid(
    'messages',
    `prompt is too long: ${tokens} tokens > ${CONTEXT_WINDOW} maximum`,
    'context_length_exceeded',
  );
}

/**
 * What a strict schema breaks of the providers' rules, or undefined: every object closed, and for OpenAI every
 * property required.
 */
export function strictnessFault(
  schema: unknown,
  allRequired: boolean,
  path: string[] = [],
  depth = 0,
): string | undefined {
  if (depth > 100) return undefined;
  if (Array.isArray(schema)) return firstFault(schema.entries(), allRequired, path, depth);
  if (!isObject(schema)) return undefined;
  const own = objectFault(schema, allRequired);
  if (own) return `In context=(${path.map((step) => `'${step}'`).join(', ')}), ${own}`;
  const named = ['properties', '$defs', 'definitions'].flatMap((keyword) => {
    const members = schema[keyword];
    return isObject(members)
      ? Object.entries(members).map(([name, member]): [string, unknown] => [`${keyword}', '${name}`, member])
      : [];
  });
  const nested = ['items', 'anyOf', 'oneOf', 'allOf', 'prefixItems'].map((keyword): [string, unknown] => [
    keyword,
    schema[keyword],
  ]);
  return firstFault([...named, ...nested], allRequired, path, depth);
}

function firstFault(
  entries: Iterable<[string | number, unknown]>,
  allRequired: boolean,
  path: string[],
  depth: number,
): string | undefined {
  for (const [name, member] of entries) {
    const fault = strictnessFault(member, allRequired, [...path, String(name)], depth + 1);
    if (fault) return fault;
  }
  return undefined;
}

function objectFault(schema: JsonObject, allRequired: boolean): string | undefined {
  if (schema.type !== 'object' && !isObject(schema.properties)) return undefined;
  if (schema.additionalProperties !== false)
    return "'additionalProperties' is required to be supplied and to be false.";
  const required: unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const missing = Object.keys(isObject(schema.properties) ? schema.properties : {}).find(
    (name) => !required.includes(name),
  );
  if (!allRequired || missing === undefined) return undefined;
  return `'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`;
}
