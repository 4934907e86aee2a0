import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';
import { afterCommit, TenantTransactions } from '#libs/tenants';
import { Wakeups } from './wakeups.js';

/** Something that happened, as it is written: ids and states only, never a value. */
export interface NewEvent {
  type: string;
  payload: Record<string, Json>;
}

/** Something that happened, as it is read. */
export interface LoggedEvent extends NewEvent {
  /** Where a reader that has seen this one goes on. */
  id: string;
}

/** A place in a tenant's events. */
export interface Cursor {
  xid: string;
  seq: string;
}

export interface EventPage {
  events: LoggedEvent[];
  /** Whether there are newer events that an older, still running transaction holds back. */
  heldBack: boolean;
}

interface Row {
  xid: string;
  seq: string;
  type: string;
  payload: Record<string, Json>;
}

/** The order is that of the columns, not of the texts under the same names: as a text, 1000 comes before 999. */
const READ = `
  SELECT e.xid::text, e.seq::text, e.type, e.payload FROM ai_events e
   WHERE e.tenant_id = $1 AND (e.xid, e.seq) > ($2::text::xid8, $3::bigint)
     AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
   ORDER BY e.xid, e.seq LIMIT $4`;
const HELD_BACK = `
  SELECT EXISTS (SELECT FROM ai_events
   WHERE tenant_id = $1 AND xid >= pg_snapshot_xmin(pg_current_snapshot())) AS held`;

/**
 * The events of a tenant. They are read in the order of the transactions that wrote them, and only up to the oldest
 * transaction still running, so that a late commit cannot slip in behind a reader.
 */
@Injectable()
export class EventLog {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly wakeups: Wakeups,
  ) {}

  /** Writes events with the change they tell of, in its transaction; readers are woken after its commit. */
  async append(em: EntityManager, tenantId: string, events: NewEvent[]): Promise<void> {
    if (events.length === 0) return;
    await em.query(
      `INSERT INTO ai_events (tenant_id, type, payload)
       SELECT $1, e.type, e.payload FROM jsonb_to_recordset($2::jsonb) AS e(type text, payload jsonb)`,
      [tenantId, JSON.stringify(events)],
    );
    this.announce(em, tenantId);
  }

  /** Wakes readers after the commit, for events that a database function has written. */
  announce(em: EntityManager, tenantId: string): void {
    afterCommit(em, `events:${tenantId}`, () => this.wake(tenantId));
  }

  /** Wakes readers now, for events that a statement of its own has written and committed. */
  wake(tenantId: string): void {
    this.wakeups.wake('events', tenantId);
  }

  /** Events after the cursor, oldest first. */
  async read(tenantId: string, after: Cursor, limit = 500): Promise<EventPage> {
    return this.tenants.transaction(tenantId, async (em) => {
      const rows = await em.query<Row[]>(READ, [tenantId, after.xid, after.seq, limit]);
      const [held] = await em.query<{ held: boolean }[]>(HELD_BACK, [tenantId]);
      const events = rows.map(({ xid, seq, type, payload }) => ({ id: `${xid}-${seq}`, type, payload }));
      return { events, heldBack: held?.held ?? false };
    });
  }

  /** The place behind everything that has happened so far. */
  async end(tenantId: string): Promise<Cursor> {
    return this.tenants.transaction(tenantId, async (em) => {
      const [row] = await em.query<{ xid: string }[]>(
        'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid',
      );
      return { xid: row?.xid ?? '0', seq: '-1' };
    });
  }

  /** The place of an event by its id, or undefined where it is unknown or no longer kept. */
  async find(tenantId: string, id: string): Promise<Cursor | undefined> {
    const [, xid, seq] = /^(\d{1,19})-(\d{1,18})$/.exec(id) ?? [];
    if (!xid || !seq) return undefined;
    return this.tenants.transaction(tenantId, async (em) => {
      const rows = await em.query<unknown[]>(
        'SELECT FROM ai_events WHERE tenant_id = $1 AND xid = $2::text::xid8 AND seq = $3::bigint',
        [tenantId, xid, seq],
      );
      return rows.length > 0 ? { xid, seq } : undefined;
    });
  }
}
