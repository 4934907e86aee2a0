import { hashOf, type Json } from '#libs/common';
import type { CompiledField } from '../config/compile-field.js';

/**
 * Hash of the values that go into a field's prompt, as they are now. `left` names fields that are left out because their
 * values are made from excluded ones.
 */
export function inputsHash(
  field: CompiledField,
  values: Readonly<Record<string, Json>>,
  left: ReadonlySet<string>,
): string {
  const inputs: Record<string, Json> = {};
  for (const slug of field.reads) if (!left.has(slug)) inputs[slug] = values[slug] ?? null;
  return hashOf(inputs);
}

/** AI fields whose values, as they stand, are made from something this field excludes. */
export function taintedReads(
  field: CompiledField,
  sources: ReadonlyMap<string, readonly string[]>,
): Set<string> {
  const tainted = new Set<string>();
  for (const slug of field.reads) {
    if (sources.get(slug)?.some((source) => field.excluded.has(source))) tainted.add(slug);
  }
  return tainted;
}

/** Every field that a prompt is made from, through the AI values it reads. */
export function sourcesRead(
  field: CompiledField,
  left: ReadonlySet<string>,
  sources: ReadonlyMap<string, readonly string[]>,
): string[] {
  const all = new Set<string>();
  for (const slug of field.reads) {
    if (left.has(slug)) continue;
    all.add(slug);
    for (const source of sources.get(slug) ?? []) all.add(source);
  }
  return [...all];
}
