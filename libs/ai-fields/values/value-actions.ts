import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { FieldSight } from '#libs/access';
import { FieldsmithError, InvalidInputError, isId, nanoToUsd, type Json } from '#libs/common';
import type { Principal } from '#libs/host';
import { JobControl, LANE, type Priority } from '#libs/processing';
import type { CompiledField } from '../config/compile-field.js';
import { GenerationQueue } from '../generation/enqueue-due.js';
import { subjectOf } from '../generation/subject.js';
import { findDue } from '../graph/find-due.js';
import { AiValueEdits, type ValueAddress } from './value-edits.js';
import { ValueFinder, type FoundValue } from './value-finder.js';
import type { AiValueView } from './value-views.js';

/** A value after somebody has acted on it. */
export interface ShownValue {
  value: Json;
  ai: AiValueView;
}

export interface HistoryItem {
  execution_id: string;
  value: Json;
  model: string;
  cost_usd: number | null;
  cause: { origin: string; job_id: string; principal_id: string };
  created_at: string;
}

export interface HistoryPage {
  items: HistoryItem[];
  next_cursor: string | null;
}

interface HistoryRow {
  id: string;
  value: Json;
  model: string;
  cost_nano: string | null;
  origin: string;
  job_id: string;
  principal_id: string;
  created_at: Date;
}

/** Values are in the order in which they came, their ids in that in which the calls began: the one that a page ended with is found. */
const PLACE =
  'SELECT created_at::text AS at FROM ai_executions WHERE tenant_id = $1 AND id = $2 AND record_id = $3 AND field = $4';
const HISTORY = `
  SELECT id, value, model, cost_nano, origin, job_id, principal_id, created_at FROM ai_executions
   WHERE tenant_id = $1 AND record_id = $2 AND field = $3 AND stored AND value IS NOT NULL
     AND NOT sources && $4::text[] AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6::uuid))
   ORDER BY created_at DESC, id DESC LIMIT $7`;

/** The actions of people on one AI value, each in the caller's transaction. */
@Injectable()
export class ValueActions {
  constructor(
    private readonly values: ValueFinder,
    private readonly queue: GenerationQueue,
    private readonly edits: AiValueEdits,
    private readonly jobs: JobControl,
  ) {}

  /**
   * Queues the generation of the value; one that is pending already is that job. Without `force` an unchanged input
   * costs nothing.
   *
   * @param how `force` (default false): generate it whatever it would cost; `priority`: among the tenant's waiting jobs.
   * @throws NotFoundError; FieldsmithError `overridden` (409) when a person's value stands.
   */
  async generate(
    em: EntityManager,
    principal: Principal,
    recordId: string,
    slug: string,
    { force = false, priority }: { force?: boolean; priority?: Priority },
  ): Promise<string> {
    const found = await this.values.find(em, principal, recordId, slug);
    const view = await this.values.view(em, principal.tenantId, found);
    const { config } = found.field;
    if (view.state === 'overridden' && config.on_manual_edit !== 'overwrite') {
      throw new FieldsmithError(
        'overridden',
        'A person wrote this value: reset it first, then generate it.',
        { status: 409 },
      );
    }
    const cause = {
      origin: 'user',
      principalId: principal.id,
      lane: LANE.interactive,
      force,
      priority,
    } as const;
    const [jobId] = await this.queue.enqueue(em, principal.tenantId, found.compiled, [
      { recordId, field: slug, cause },
    ]);
    return jobId!;
  }

  /** Stops the open jobs of the value. @returns how many there were. */
  async stop(em: EntityManager, principal: Principal, recordId: string, slug: string): Promise<number> {
    const { tenantId } = principal;
    await this.values.find(em, principal, recordId, slug);
    const open = await em.query<{ id: string }[]>(
      `SELECT id FROM ai_jobs WHERE tenant_id = $1 AND subject = $2 AND completed_at IS NULL ORDER BY id`,
      [tenantId, subjectOf(recordId, slug)],
    );
    await this.jobs.cancelMany(
      em,
      tenantId,
      open.map(({ id }) => id),
    );
    return open.length;
  }

  /** Drops a person's value; what was generated stands again, and is refreshed where it regenerates by itself and is old. */
  async reset(em: EntityManager, principal: Principal, recordId: string, slug: string): Promise<ShownValue> {
    const found = await this.values.find(em, principal, recordId, slug);
    const value = await this.edits.reset(em, principal, found.address);
    await this.triggerDownstream(em, principal, found);
    const fresh = await this.values.find(em, principal, recordId, slug);
    const view = await this.values.view(em, principal.tenantId, fresh);
    // A call in flight was made before the reset, and its result will be discarded: that counts as old too.
    const { config } = fresh.field;
    if (config.auto_regenerate !== false && view.state !== 'ready') {
      const cause = { origin: 'user', principalId: principal.id, lane: LANE.interactive } as const;
      await this.queue.enqueue(em, principal.tenantId, fresh.compiled, [{ recordId, field: slug, cause }]);
    }
    return { value, ai: await this.values.view(em, principal.tenantId, fresh) };
  }

  async restore(
    em: EntityManager,
    principal: Principal,
    recordId: string,
    slug: string,
    executionId: string,
  ): Promise<ShownValue> {
    const found = await this.values.find(em, principal, recordId, slug);
    const unshown = unshownSources(found.field, found.sight);
    const value = await this.edits.restore(em, principal, found.address, executionId, unshown);
    if (found.field.config.on_manual_edit === 'overwrite')
      await this.edits.endOlderJobs(em, principal.tenantId, [{ recordId, field: slug }]);
    await this.triggerDownstream(em, principal, found);
    return {
      value,
      ai: await this.values.view(
        em,
        principal.tenantId,
        await this.values.find(em, principal, recordId, slug),
      ),
    };
  }

  async feedback(
    em: EntityManager,
    principal: Principal,
    recordId: string,
    slug: string,
    feedback: string,
    comment?: string,
  ): Promise<void> {
    const { address } = await this.values.find(em, principal, recordId, slug);
    await this.edits.feedback(em, principal.tenantId, address, feedback, comment);
  }

  /**
   * The values this field of this record has had, newest first, without those made from what the principal may not see.
   *
   * @param page at most `limit` items, those after the `next_cursor` of another page.
   * @throws NotFoundError; FieldNotVisibleError, 403; InvalidInputError for a cursor that is of no page of this history.
   */
  async history(
    em: EntityManager,
    principal: Principal,
    recordId: string,
    slug: string,
    { limit, cursor }: { limit: number; cursor?: string },
  ): Promise<HistoryPage> {
    const { address, field, sight } = await this.values.find(em, principal, recordId, slug);
    const after = cursor === undefined ? undefined : await placeOf(em, principal.tenantId, address, cursor);
    const rows = await em.query<HistoryRow[]>(HISTORY, [
      principal.tenantId,
      recordId,
      slug,
      unshownSources(field, sight),
      after ?? null,
      cursor ?? null,
      limit + 1,
    ]);
    const shown = rows.slice(0, limit);
    return {
      items: shown.map((row) => historyItem(row, sight.opaque.has(slug))),
      next_cursor: rows.length > limit ? shown.at(-1)!.id : null,
    };
  }

  private async triggerDownstream(
    em: EntityManager,
    principal: Principal,
    { compiled, record, address }: FoundValue,
  ): Promise<void> {
    const { field } = address;
    const due = findDue(compiled, { changed: new Set([field]), created: false, written: new Set([field]) });
    const cause = { origin: 'user', principalId: principal.id, lane: LANE.interactive } as const;
    await this.queue.enqueue(
      em,
      principal.tenantId,
      compiled,
      due.map((next) => ({ recordId: record.id, field: next, cause })),
    );
  }
}

/** When the execution that a page ended with was recorded; as text, which leaves no microsecond out. */
async function placeOf(
  em: EntityManager,
  tenantId: string,
  { recordId, field }: ValueAddress,
  cursor: string,
): Promise<string> {
  const [place] = isId(cursor)
    ? await em.query<{ at: string }[]>(PLACE, [tenantId, cursor, recordId, field])
    : [];
  if (place) return place.at;
  throw new InvalidInputError([{ path: 'cursor', message: 'must be the next_cursor of an earlier answer' }]);
}

function historyItem(row: HistoryRow, isOpaque: boolean): HistoryItem {
  return {
    execution_id: row.id,
    value: row.value,
    model: row.model,
    cost_usd: row.cost_nano === null || isOpaque ? null : nanoToUsd(BigInt(row.cost_nano)),
    cause: { origin: row.origin, job_id: row.job_id, principal_id: row.principal_id },
    created_at: row.created_at.toISOString(),
  };
}

/** What a value may not have been made from to be shown; nothing where the field itself says who sees it. */
function unshownSources({ field }: CompiledField, { hidden }: FieldSight): string[] {
  return field.visibleTo ? [] : [...hidden];
}
