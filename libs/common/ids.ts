import { v7 } from 'uuid';

/** A new identifier: a UUID version 7, so that ids sort by the time they were made. */
export function newId(): string {
  return v7();
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text from outside can be an id of ours, before it goes near a `uuid` column. */
export function isId(text: unknown): text is string {
  return typeof text === 'string' && UUID.test(text);
}

/**
 * The smallest id that can have been made at a time or later: ids sort by their time, so a range of them is found without
 * an index on a date.
 *
 * @example firstIdOf(new Date('2026-11-20T00:00:00Z')) // '019a9e9c-3000-0000-0000-000000000000'
 */
export function firstIdOf(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`;
}
