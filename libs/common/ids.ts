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
