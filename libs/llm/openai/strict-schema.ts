import type { Json } from '#libs/common';

/** Every keyword that OpenAI's strict mode takes; a schema with any other is sent as not strict. */
const STRICT_KEYWORDS = new Set([
  ...['type', 'title', 'description', 'enum', 'const', 'anyOf', '$ref', '$defs', 'definitions'],
  ...['properties', 'required', 'additionalProperties', 'items', 'minItems', 'maxItems'],
  ...['pattern', 'format', 'multipleOf', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
]);
const STRICT_FORMATS = new Set<unknown>(
  ['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'], //
);
const DEEPEST = 10;
const MOST_PROPERTIES = 5_000;
const MOST_ENUM_VALUES = 1_000;

type Schema = Record<string, Json>;

/**
 * Whether OpenAI's strict mode, which guarantees that the answer fits, accepts a JSON Schema. Otherwise the
 * schema is still sent, as guidance, and the parser has the last word.
 *
 * Strict mode wants an object at the root, every object closed (`additionalProperties: false`) with all its
 * properties required, and a limited set of keywords and sizes.
 */
export function fitsStrictMode(schema: Schema): boolean {
  const count = { properties: 0, enumValues: 0 };
  return (
    schema.type === 'object' &&
    schema.anyOf === undefined &&
    fits(schema, 1, count) &&
    count.properties <= MOST_PROPERTIES &&
    count.enumValues <= MOST_ENUM_VALUES
  );
}

function fits(
  schema: Json | undefined,
  depth: number,
  count: { properties: number; enumValues: number },
): boolean {
  if (!isSchema(schema) || depth > DEEPEST) return false;
  const keywords = Object.keys(schema);
  if (!keywords.every((keyword) => STRICT_KEYWORDS.has(keyword))) return false;
  if (schema.$ref !== undefined)
    return keywords.length === 1 && /^#(\/\$defs\/|\/definitions\/|$)/.test(String(schema.$ref));
  if (schema.type === undefined && schema.anyOf === undefined) return false;
  if (schema.format !== undefined && !STRICT_FORMATS.has(schema.format)) return false;
  if (typeof schema.pattern === 'string' && schema.pattern.includes('(?')) return false;
  if (Array.isArray(schema.enum)) count.enumValues += schema.enum.length;
  const inner = [...objectParts(schema, count), ...listParts(schema)];
  return isClosed(schema) && inner.every((part) => fits(part, depth + 1, count));
}

function objectParts(schema: Schema, count: { properties: number }): Json[] {
  const properties = isSchema(schema.properties) ? Object.values(schema.properties) : [];
  count.properties += properties.length;
  const definitions = [schema.$defs, schema.definitions]
    .filter(isSchema)
    .flatMap((part) => Object.values(part));
  return [...properties, ...definitions];
}

function listParts(schema: Schema): Json[] {
  const items = schema.items === undefined ? [] : [schema.items];
  const anyOf = schema.anyOf === undefined ? [] : Array.isArray(schema.anyOf) ? schema.anyOf : [schema.anyOf];
  return [...items, ...anyOf];
}

function isClosed(schema: Schema): boolean {
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  if (types.includes('array') && schema.items === undefined) return false;
  if (!types.includes('object')) return schema.properties === undefined;
  const { properties, required } = schema;
  if (schema.additionalProperties !== false || !isSchema(properties) || !Array.isArray(required))
    return false;
  const listed = new Set<unknown>(required);
  const names = Object.keys(properties);
  return listed.size === names.length && names.every((name) => listed.has(name));
}

function isSchema(value: Json | undefined): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
