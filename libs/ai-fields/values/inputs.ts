import { hashOf, type Json } from '#libs/common';
import type { CompiledField } from '../config/compile-field.js';

/**
 * Hash of the values that go into a field's prompt, as they read there now: a label or a currency that changes counts, an
 * empty field does not. The condition decides whether there is a prompt, and is no part of it.
 *
 * @param left fields that are left out because their values are made from excluded ones.
 */
export function inputsHash(
  { prompt, system }: CompiledField,
  pipelineName: string,
  values: Readonly<Record<string, Json>>,
  left: ReadonlySet<string>,
): string {
  const input = { values, variables: { pipeline_name: pipelineName }, exclude: left };
  return hashOf({ ...prompt.inputs(input), ...system?.inputs(input) });
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
