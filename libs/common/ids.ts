import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const ID_BYTES = 16;
/** Randomness for 256 ids: asked for one by one, it is most of what an id costs. */
const random = new Uint8Array(256 * ID_BYTES);
let used = random.length;
/** What the last id was made of, so that ids of one millisecond sort too. */
let msecs = 0;
let seq = 0;

/** A new identifier: a UUID version 7, so that ids of one process sort by the order in which they were made. */
export function newId(): string {
  const own = nextRandom();
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    seq = new DataView(own.buffer, own.byteOffset).getUint32(0) >>> 1;
  } else {
    seq = (seq + 1) | 0;
    if (seq === 0) msecs++;
  }
  return v7({ random: own, msecs, seq });
}

function nextRandom(): Uint8Array {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  used += ID_BYTES;
  return random.subarray(used - ID_BYTES, used);
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

/**
 * When an id was made.
 *
 * @example timeOfId('019a9e9c-3000-0000-0000-000000000000') // 2025-11-20, to the millisecond
 */
export function timeOfId(id: string): Date {
  return new Date(parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
}
