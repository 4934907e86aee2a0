import type { Json } from '#libs/common';

/** Keywords that Anthropic's structured outputs take; bounds on numbers, texts and lists are refused there. */
const KEYWORDS = new Set([
  ...['type', 'title', 'description', 'default', 'enum', 'const', 'anyOf', 'format'],
  ...['properties', 'required', 'additionalProperties', 'items'],
]);
const FORMATS = new Set<unknown>([
  ...['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'],
]);
const DEEPEST = 10;
/** Members that may be left out, and alternatives, over the whole schema. */
const MOST_OPTIONAL = 24;
const MOST_UNIONS = 16;

type Schema = Record<string, Json>;

interface Count {
  optional: number;
  unions: number;
}

/**
 * Whether Anthropic's structured outputs accept a JSON Schema. One that they would refuse is not sent; the
 * instructions in the system message hold it, and the parser has the last word.
 */
export function fitsOutputFormat(schema: Schema): boolean {
  const count: Count = { optional: 0, unions: 0 };
  return (
    schema.type === 'object' &&
    fits(schema, 1, count) &&
    count.optional <= MOST_OPTIONAL &&
    count.unions <= MOST_UNIONS
  );
}

function fits(schema: Json | undefined, depth: number, count: Count): boolean {
  if (!isSchema(schema) || depth > DEEPEST) return false;
  if (!Object.keys(schema).every((keyword) => KEYWORDS.has(keyword))) return false;
  if (schema.format !== undefined && !FORMATS.has(schema.format)) return false;
  if (schema.enum !== undefined && !isPlainList(schema.enum)) return false;
  if (Array.isArray(schema.type) || schema.anyOf !== undefined) count.unions += 1;
  return isClosed(schema, count) && partsOf(schema).every((part) => fits(part, depth + 1, count));
}

function partsOf(schema: Schema): Json[] {
  const properties = isSchema(schema.properties) ? Object.values(schema.properties) : [];
  const items = schema.items === undefined ? [] : [schema.items];
  const anyOf = schema.anyOf === undefined ? [] : Array.isArray(schema.anyOf) ? schema.anyOf : [schema.anyOf];
  return [...properties, ...items, ...anyOf];
}

function isClosed(schema: Schema, count: Count): boolean {
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  if (!types.includes('object')) return schema.properties === undefined;
  const { properties, required = [] } = schema;
  if (schema.additionalProperties !== false || !isSchema(properties) || !Array.isArray(required))
    return false;
  count.optional += Object.keys(properties).filter((name) => !required.includes(name)).length;
  return true;
}

function isPlainList(value: Json): boolean {
  return Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null);
}

function isSchema(value: Json | undefined): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
