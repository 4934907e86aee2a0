import { canonicalJson, type Json } from '#libs/common';

/** What a save really changes of the values of a record. */
export interface DataChanges {
  /** Values that are new or other than before. */
  set: Record<string, Json>;
  /** Fields that lose their value. */
  cleared: string[];
}

/** Compares what is given with what is there; `null` clears, and equal values change nothing. */
export function dataChanges(current: Record<string, Json>, given: Record<string, Json>): DataChanges {
  const changed = Object.entries(given).filter(([slug, value]) => isDifferent(valueOf(current, slug), value));
  return {
    set: Object.fromEntries(changed.filter(([, value]) => value !== null)),
    cleared: changed.filter(([, value]) => value === null).map(([slug]) => slug),
  };
}

export function isEmptyChange({ set, cleared }: DataChanges): boolean {
  return cleared.length === 0 && Object.keys(set).length === 0;
}

/** The changes as new values by field, `null` for what is cleared. */
export function changedValues({ set, cleared }: DataChanges): Record<string, Json> {
  return { ...set, ...Object.fromEntries(cleared.map((slug) => [slug, null])) };
}

/** The values after the changes. */
export function applied(current: Record<string, Json>, { set, cleared }: DataChanges): Record<string, Json> {
  const gone = new Set(cleared);
  return Object.fromEntries(Object.entries({ ...current, ...set }).filter(([slug]) => !gone.has(slug)));
}

function valueOf(data: Record<string, Json>, slug: string): Json {
  return Object.hasOwn(data, slug) ? (data[slug] ?? null) : null;
}

function isDifferent(before: Json, after: Json): boolean {
  return before !== after && canonicalJson(before) !== canonicalJson(after);
}
