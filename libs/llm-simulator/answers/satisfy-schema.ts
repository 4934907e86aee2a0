import type { Reading } from './facts.js';
import { hashNumber } from './hash.js';
import type { JsonSchema } from './json-schema.js';
import { chooseOption } from './options.js';
import { numberFor, stringFor, type Spot } from './schema-scalars.js';

/** Below this depth optional members are left out and arrays are as short as they may be, so that recursion ends. */
const SHALLOW = 6;
const MOST_NODES_AT_EASE = 2_000;
const DEEPEST = 64;
const MOST_NODES = 50_000;
const LONGEST_ARRAY = 1_000;

/**
 * Makes a value that a JSON Schema accepts, from the facts of a prompt where they fit and else by hash. Knows type, enum, const,
 * properties, required, additionalProperties, minProperties, items, prefixItems, minItems, maxItems, uniqueItems, minimum,
 * maximum, exclusive bounds, multipleOf, minLength, maxLength, format, anyOf, oneOf, allOf, $ref, nullable.
 * Does not know `pattern` beyond trying the facts, nor `not` and `if`.
 */
export function satisfySchema(schema: JsonSchema, reading: Reading): unknown {
  return new Satisfier(schema, reading).value(schema, { name: '', path: '$' }, 0);
}

class Satisfier {
  private nodes = 0;
  private readonly data: string;

  constructor(
    private readonly root: JsonSchema,
    private readonly reading: Reading,
  ) {
    this.data = reading.facts.map(({ value }) => value).join('\n') || reading.instructions;
  }

  value(given: unknown, spot: Spot, depth: number): unknown {
    this.nodes += 1;
    if (depth > DEEPEST || this.nodes > MOST_NODES) return null;
    const schema = this.resolve(given);
    if ('const' in schema) return schema.const;
    if (Array.isArray(schema.enum)) return this.choice(schema.enum, spot);
    for (const keyword of ['anyOf', 'oneOf']) {
      const { [keyword]: branches, ...rest } = schema;
      if (Array.isArray(branches) && branches.length > 0) {
        return this.value(merge(rest, this.branch(branches, depth)), spot, depth + 1);
      }
    }
    return this.ofType(typeOf(schema, this.terse(depth)), schema, spot, depth);
  }

  private ofType(type: string, schema: JsonSchema, spot: Spot, depth: number): unknown {
    switch (type) {
      case 'object':
        return this.object(schema, spot, depth);
      case 'array':
        return this.array(schema, spot, depth);
      case 'integer':
      case 'number':
        return numberFor(schema, type === 'integer', spot, this.reading);
      case 'boolean':
        return hashNumber(`${spot.path}\u0000${this.data}`) % 2 === 0;
      case 'null':
        return null;
      default:
        return stringFor(schema, spot, this.reading);
    }
  }

  private object(schema: JsonSchema, spot: Spot, depth: number): Record<string, unknown> {
    const properties = isObject(schema.properties) ? schema.properties : {};
    const required = new Set(
      Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === 'string') : [],
    );
    const made: [string, unknown][] = [];
    for (const name of new Set([...Object.keys(properties), ...required])) {
      if (!required.has(name) && this.terse(depth)) continue;
      const own = Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties;
      made.push([name, this.value(own, { name, path: `${spot.path}.${name}` }, depth + 1)]);
    }
    for (let index = 1; made.length < limit(schema.minProperties, 0); index++) {
      const name = `key_${index}`;
      made.push([
        name,
        this.value(schema.additionalProperties, { name, path: `${spot.path}.${name}` }, depth + 1),
      ]);
    }
    return Object.fromEntries(made);
  }

  private array(schema: JsonSchema, spot: Spot, depth: number): unknown[] {
    const prefix = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
    const least = Math.max(limit(schema.minItems, 0), prefix.length);
    const usual = this.terse(depth) ? least : Math.max(least, 2);
    const length = Math.min(usual, limit(schema.maxItems, LONGEST_ARRAY), LONGEST_ARRAY);
    const made: unknown[] = [];
    const seen = new Set<string>();
    // Equal items are tried again at another place, since the place is part of what decides a value.
    for (let at = 0; made.length < length && at < length * 20 + 20; at++) {
      const index = made.length;
      const item = this.value(
        prefix[index] ?? schema.items,
        { ...spot, path: `${spot.path}[${at}]`, index: at },
        depth + 1,
      );
      const key = JSON.stringify(item);
      if (schema.uniqueItems === true && seen.has(key)) continue;
      seen.add(key);
      made.push(item);
    }
    return made;
  }

  private choice(values: unknown[], spot: Spot): unknown {
    const texts = values.filter((value): value is string => typeof value === 'string');
    if (spot.index !== undefined && values.length > 0)
      return values[(hashNumber(this.data) + spot.index) % values.length];
    if (texts.length === 0)
      return values[hashNumber(`${spot.path}\u0000${this.data}`) % Math.max(values.length, 1)] ?? null;
    return chooseOption(texts, this.data);
  }

  private branch(branches: unknown[], depth: number): JsonSchema {
    const resolved = branches.map((branch) => this.resolve(branch));
    const plain =
      resolved.find((branch) => branch.type === 'null') ?? resolved.find((branch) => isLeaf(branch));
    if (this.terse(depth) && plain) return plain;
    return resolved.find((branch) => branch.type !== 'null') ?? {};
  }

  private terse(depth: number): boolean {
    return depth > SHALLOW || this.nodes > MOST_NODES_AT_EASE;
  }

  /** Follows `$ref` and folds `allOf` into the schema itself, as deep as that goes. */
  private resolve(given: unknown, depth = 0): JsonSchema {
    let schema: JsonSchema = isObject(given) ? given : {};
    for (let hops = 0; typeof schema.$ref === 'string' && hops < DEEPEST; hops++) {
      const { $ref, ...rest } = schema;
      schema = merge(rest, pointedAt(this.root, $ref as string));
    }
    const { allOf, ...rest } = schema;
    this.nodes += 1;
    if (!Array.isArray(allOf) || depth > DEEPEST || this.nodes > MOST_NODES) return rest;
    return (allOf as unknown[]).reduce<JsonSchema>(
      (whole, part) => merge(whole, this.resolve(part, depth + 1)),
      rest,
    );
  }
}

/** Both schemas in one. */
function merge(schema: JsonSchema, other: JsonSchema): JsonSchema {
  const whole: JsonSchema = { ...schema, ...other };
  if (isObject(schema.properties) && isObject(other.properties)) {
    whole.properties = { ...schema.properties, ...other.properties };
  }
  if (Array.isArray(schema.required) && Array.isArray(other.required)) {
    whole.required = [...new Set([...(schema.required as unknown[]), ...(other.required as unknown[])])];
  }
  return whole;
}

function pointedAt(root: JsonSchema, pointer: string): JsonSchema {
  let target: unknown = root;
  for (const step of pointer.replace(/^#\/?/, '').split('/').filter(Boolean)) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    target =
      isObject(target) && Object.hasOwn(target, name)
        ? target[name]
        : Array.isArray(target)
          ? (target as unknown[])[Number(name)]
          : undefined;
  }
  return isObject(target) ? target : {};
}

function typeOf(schema: JsonSchema, terse: boolean): string {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter(
    (type) => typeof type === 'string',
  );
  const nullable = types.includes('null') || schema.nullable === true;
  const filled = types.find((type) => type !== 'null');
  const structured = filled === 'object' || filled === 'array';
  if (nullable && (filled === undefined || (terse && structured))) return 'null';
  if (filled !== undefined) return filled;
  if (isObject(schema.properties) || Array.isArray(schema.required) || schema.minProperties !== undefined)
    return 'object';
  if (schema.items !== undefined || schema.prefixItems !== undefined || schema.minItems !== undefined)
    return 'array';
  return schema.minimum !== undefined || schema.maximum !== undefined ? 'number' : 'string';
}

function isLeaf(schema: JsonSchema): boolean {
  return typeof schema.type === 'string' && schema.type !== 'object' && schema.type !== 'array';
}

function limit(value: unknown, fallback: number): number {
  return typeof value === 'number' && value >= 0 ? Math.min(Math.floor(value), LONGEST_ARRAY) : fallback;
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
