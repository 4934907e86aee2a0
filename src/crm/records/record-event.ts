import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';
import type { EventLog } from '#libs/events';

/** What happens to records, as events: ids and states, never a value. */
export type RecordEvent =
  | { type: 'record.updated'; payload: { record_id: string; pipeline_id: string; version: number } }
  | { type: 'record.deleted'; payload: { record_id: string; pipeline_id: string } }
  | { type: 'records.imported'; payload: { pipeline_id: string; count: number } };

/** Writes an event in the transaction of the change it tells of. */
export async function recordEvent(
  log: EventLog,
  em: EntityManager,
  tenantId: string,
  event: RecordEvent,
): Promise<void> {
  const payload: Record<string, Json> = event.payload;
  await log.append(em, tenantId, [{ type: event.type, payload }]);
}
