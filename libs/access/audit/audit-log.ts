import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { newId, timeOfId } from '#libs/common';
import type { Principal } from '#libs/host';
import { auditedJson, isUnchanged, type AuditedChange } from './audit-entry.js';

/** What is changed, and how to look at it. */
export interface Watched extends Pick<AuditedChange, 'subject' | 'subjectId'> {
  /** Its state as the API shows it, without secrets; undefined where it is not there. */
  view(): Promise<object | undefined>;
}

const ADD = `
  INSERT INTO ai_audit_log (tenant_id, id, at, actor_id, actor_name, action, subject, subject_id, before, after)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`;
const LOCK = 'SELECT pg_advisory_xact_lock(7463823, hashtext($1))';

/**
 * Who changed what, when, from what to what. An entry is written in the transaction of its change, so that there is never
 * one without the other; the application can add entries and read them, and nothing else.
 */
@Injectable()
export class AuditLog {
  /**
   * Writes an entry in the caller's transaction; none where nothing has changed.
   *
   * @example
   * await audit.record(em, principal, { action: 'update', subject: 'User', subjectId: id, before, after });
   */
  async record(em: EntityManager, { tenantId, id, name }: Principal, change: AuditedChange): Promise<void> {
    if (isUnchanged(change)) return;
    const { action, subject, subjectId, before, after } = change;
    const entryId = newId();
    const values = [tenantId, entryId, timeOfId(entryId), id, name, action, subject, subjectId];
    await em.query(ADD, [...values, auditedJson(before), auditedJson(after)]);
  }

  /**
   * Does a change and records what it came to. Changes of one subject wait for each other here, so that an entry's `before`
   * is the `after` of the entry before it.
   *
   * @returns what the change returns.
   */
  async watch<T>(
    em: EntityManager,
    principal: Principal,
    { subject, subjectId, view }: Watched,
    change: () => Promise<T>,
  ): Promise<T> {
    await em.query(LOCK, [JSON.stringify([principal.tenantId, subject, subjectId])]);
    const before = await view();
    const result = await change();
    const after = await view();
    const action = before === undefined ? 'create' : after === undefined ? 'delete' : 'update';
    await this.record(em, principal, { action, subject, subjectId, before, after });
    return result;
  }
}
