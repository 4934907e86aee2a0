import type { ErrorDetail, Json } from '#libs/common';

/** The largest JSON Schema, in characters of JSON. */
export const MAX_SCHEMA_LENGTH = 65_536;
/** The deepest nesting of a JSON Schema. */
export const MAX_SCHEMA_DEPTH = 32;
/** The longest regular expression in a JSON Schema, in characters. */
export const MAX_PATTERN_LENGTH = 500;

/** What makes a schema unfit to be compiled at all; empty for one that may be tried. */
export function schemaFaults(schema: Record<string, Json>): ErrorDetail[] {
  const faults: ErrorDetail[] = [];
  if (!walk(schema, 'schema', 0, faults)) {
    return [{ path: 'schema', message: `is nested more than ${MAX_SCHEMA_DEPTH} levels deep` }];
  }
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH) {
    return [{ path: 'schema', message: `is longer than ${MAX_SCHEMA_LENGTH} characters` }];
  }
  return faults;
}

/** Collects faults below a node; false when it is too deep. */
function walk(node: Json, path: string, depth: number, faults: ErrorDetail[]): boolean {
  if (depth > MAX_SCHEMA_DEPTH) return false;
  if (typeof node !== 'object' || node === null) return true;
  if (!Array.isArray(node)) faults.push(...keywordFaults(node, path));
  return Object.entries(node).every(([key, member]) =>
    walk(member, `${path}.${key}`.slice(0, 200), depth + 1, faults),
  );
}

function keywordFaults(node: Record<string, Json>, path: string): ErrorDetail[] {
  const faults: ErrorDetail[] = [];
  const { pattern, patternProperties, $async } = node;
  const patterns =
    typeof patternProperties === 'object' && patternProperties ? Object.keys(patternProperties) : [];
  if (typeof pattern === 'string') patterns.push(pattern);
  if (patterns.some((text) => text.length > MAX_PATTERN_LENGTH)) {
    faults.push({ path, message: `has a pattern longer than ${MAX_PATTERN_LENGTH} characters` });
  }
  if ($async === true) faults.push({ path: `${path}.$async`, message: 'is not supported: remove it' });
  return faults;
}
