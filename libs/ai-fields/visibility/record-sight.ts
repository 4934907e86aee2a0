import { fieldSight, FULL_SIGHT, unseenFields, type FieldSight } from '#libs/access';
import type { Json } from '#libs/common';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import type { AiValueView, ValueFacts } from '../values/value-views.js';
import { subjectOf } from '../generation/subject.js';
import type { ShownValueRow } from '../values/value-row.js';

/** What a value was made from, as it is kept with it. */
export type MadeValue = Pick<ShownValueRow, 'sources' | 'override_sources'>;

/** In the place of an error's message, which may quote what is not shown. */
const NOT_SHOWN = 'Your role may not see what the value is made from, nor what went wrong with it.';

/** What these roles see of a pipeline's fields by their configurations as they are now. */
export function pipelineSight(compiled: CompiledPipeline, roles: readonly string[]): FieldSight {
  return fieldSight(compiled.pipeline.fields, roles, readsOf(compiled));
}

/**
 * What these roles see of the values of one record: whatever either the configurations as they are now or the sources kept
 * with the values hide. A value that stands from before a change of its prompt is judged by what it was really made from.
 */
export function recordSight(
  compiled: CompiledPipeline,
  roles: readonly string[],
  valueOf: (slug: string) => MadeValue | undefined,
): FieldSight {
  if (unseenFields(compiled.pipeline.fields, roles).size === 0) return FULL_SIGHT;
  const made = readsOf(compiled);
  for (const { slug } of compiled.pipeline.fields) {
    const value = valueOf(slug);
    // Both: the generated value is shown beside the one that a person has put in its place.
    if (value)
      made.set(slug, [...(made.get(slug) ?? []), ...value.sources, ...(value.override_sources ?? [])]);
  }
  return fieldSight(compiled.pipeline.fields, roles, made);
}

/** The same of facts that were read to show the record. */
export function sightOfFacts(
  { compiled, values }: ValueFacts,
  roles: readonly string[],
  recordId: string,
): FieldSight {
  return recordSight(compiled, roles, (slug) => values.get(subjectOf(recordId, slug)));
}

/** A record without what is not to be seen of it. */
export function shownRecord<T extends { data: Record<string, Json>; ai: Record<string, AiValueView> }>(
  record: T,
  sight: FieldSight,
): T {
  if (sight.unseen.size === 0) return record;
  const ai = Object.entries(record.ai).map(([slug, view]) => [slug, shownView(view, slug, sight)] as const);
  return {
    ...record,
    data: withoutHidden(Object.entries(record.data), sight),
    ai: withoutHidden(ai, sight),
  };
}

/** An AI value that is shown, without what tells of its inputs: its cost, and messages that may quote them. */
export function shownView(view: AiValueView, slug: string, { opaque }: FieldSight): AiValueView {
  if (!opaque.has(slug)) return view;
  const { cost_usd: _lengthOfPrompt, error, ...rest } = view;
  return error ? { ...rest, error: { ...error, message: NOT_SHOWN } } : rest;
}

function withoutHidden<T>(entries: (readonly [string, T])[], { hidden }: FieldSight): Record<string, T> {
  return Object.fromEntries(entries.filter(([slug]) => !hidden.has(slug)));
}

function readsOf({ fields }: CompiledPipeline): Map<string, Iterable<string>> {
  return new Map([...fields].map(([slug, { reads }]) => [slug, reads]));
}
