import type { CompiledPipeline } from '../config/compile-pipeline.js';

/** What happened to a record. */
export interface ChangedFields {
  /** Slugs whose values really changed. */
  changed: ReadonlySet<string>;
  created: boolean;
  /** AI fields that a person wrote in the same change: those are not due. */
  written: ReadonlySet<string>;
}

/**
 * Finds the AI fields that a change makes due: those that regenerate by themselves and whose trigger fields changed.
 * A field never triggers itself. On a new record a field whose prompt reads nothing is due too.
 */
export function findDue(compiled: CompiledPipeline, { changed, created, written }: ChangedFields): string[] {
  const due: string[] = [];
  for (const [slug, field] of compiled.fields) {
    if (field.config.auto_regenerate === false || written.has(slug)) continue;
    const touched = [...field.triggers].some((trigger) => trigger !== slug && changed.has(trigger));
    if (touched || (created && field.triggers.size === 0)) due.push(slug);
  }
  return due;
}
