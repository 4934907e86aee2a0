import { promptOf } from '../../../support/provider-calls.js';
import type { ReceivedRequest } from '#libs/llm-simulator';
import { subjectKey, subjectOfPrompt } from '../fields.js';
import type { StormStage } from '../storm-stage.js';

export interface JobEvidence {
  tenant_id: string;
  id: string;
  field: string;
  record_id: string;
  status: string;
  outcome: string | null;
  error_code: string | null;
  attempt: number;
  retry_count: number;
  ended: boolean;
}

/** A stored value with the record it stands in and the execution it names. */
export interface ValueEvidence {
  tenant_id: string;
  record_id: string;
  field: string;
  generated: string;
  /** The data of the record. */
  data: Record<string, unknown>;
  /** Absent where the value names no execution that is there. */
  prompt: string | null;
  executed: string | null;
  stored: boolean | null;
}

/** One call as the ledger tells it, after all corrections. */
export interface CallEvidence {
  tenant_id: string;
  record_id: string;
  field: string;
  job_id: string;
  attempt: number;
  n: number;
  /** How often each kind of entry was written. */
  entries: Record<string, number>;
  /** What it cost if it was settled, in nano-USD. */
  settled_cost: string | null;
  hold_nano: string;
  worker_lost: boolean;
}

/** Everything that the invariants are checked against: the database, and the provider's own log. */
export interface Evidence {
  jobs: JobEvidence[];
  values: ValueEvidence[];
  calls: CallEvidence[];
  /** Requests by record and field, in the order they came. */
  requests: Map<string, ReceivedRequest[]>;
}

const JOBS = `SELECT tenant_id, id, field, record_id, status, outcome, error_code, attempt, retry_count,
  completed_at IS NOT NULL AS ended FROM ai_jobs`;
const VALUES = `
  SELECT v.tenant_id, v.record_id, v.field, v.generated #>> '{}' AS generated, r.data,
         e.request->'messages'->0->>'content' AS prompt, e.value #>> '{}' AS executed, e.stored
    FROM ai_values v JOIN records r ON r.tenant_id = v.tenant_id AND r.id = v.record_id
    LEFT JOIN ai_executions e ON e.tenant_id = v.tenant_id AND e.id = v.execution_id`;
const CALLS = `
  SELECT tenant_id, record_id, field, job_id, attempt, n, max(hold_nano)::text AS hold_nano,
         bool_or(outcome = 'worker_lost') AS worker_lost,
         max(cost_nano) FILTER (WHERE entry = 'settled')::text AS settled_cost,
         (SELECT jsonb_object_agg(c.entry, c.count) FROM (
            SELECT entry, count(*)::int FROM unnest(array_agg(l.entry)) entry GROUP BY entry) c) AS entries
    FROM ai_ledger l WHERE entry <> 'free' GROUP BY tenant_id, record_id, field, job_id, attempt, n`;

export async function gather({ database, simulator }: StormStage): Promise<Evidence> {
  return {
    jobs: await database.sql<JobEvidence>(JOBS),
    values: await database.sql<ValueEvidence>(VALUES),
    calls: await database.sql<CallEvidence>(CALLS),
    requests: grouped(simulator.requests(), (request) => subjectOfPrompt(promptOf(request))),
  };
}

/** Rows by record and field. */
export function bySubject<Row extends { record_id: string; field: string }>(
  rows: readonly Row[],
): Map<string, Row[]> {
  return grouped(rows, ({ record_id, field }) => subjectKey(record_id, field));
}

/** Items by key, each list in the order the items came. */
export function grouped<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
