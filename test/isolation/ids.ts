import { randomUUID } from 'node:crypto';
import type { TestDatabase } from '../support/database.js';
import type { Random } from '../support/random.js';
import type { Side } from './side.js';

/** A generated value, by the names that paths have for it. */
export interface ValueId {
  record: string;
  field: string;
  execution: string;
}

/** Everything of a tenant that can be named in a call. */
interface Things {
  pipelines: string[];
  records: string[];
  users: string[];
  jobs: string[];
  openJobs: string[];
  failedJobs: string[];
  runs: string[];
  values: ValueId[];
  unconfirmed: { job: string; attempt: number; n: number }[];
  extra: { pipeline: string; slug: string }[];
  drafts: { pipeline_id: string; record_id: string }[];
  overridden: string[];
  limits: string[];
}

const THINGS = `
  SELECT ARRAY(SELECT id FROM pipelines WHERE tenant_id = $1 ORDER BY id) AS pipelines,
         ARRAY(SELECT id FROM records WHERE tenant_id = $1 ORDER BY id) AS records,
         ARRAY(SELECT id FROM users WHERE tenant_id = $1 AND id <> $2 ORDER BY id) AS users,
         ARRAY(SELECT id::text FROM ai_jobs WHERE tenant_id = $1 ORDER BY id) AS jobs,
         ARRAY(SELECT id::text FROM ai_jobs WHERE tenant_id = $1 AND status IN ('pending', 'processing') ORDER BY id) AS "openJobs",
         ARRAY(SELECT id::text FROM ai_jobs WHERE tenant_id = $1 AND status = 'failed' ORDER BY id) AS "failedJobs",
         ARRAY(SELECT id::text FROM ai_runs WHERE tenant_id = $1 ORDER BY id) AS runs,
         ARRAY(SELECT jsonb_build_object('record', record_id, 'field', field, 'execution', id) FROM ai_executions
                WHERE tenant_id = $1 AND record_id IS NOT NULL AND stored AND value IS NOT NULL ORDER BY id) AS values,
         ARRAY(SELECT jsonb_build_object('job', job_id, 'attempt', attempt, 'n', n) FROM ai_ledger
                WHERE tenant_id = $1 AND entry = 'unconfirmed' ORDER BY job_id, attempt, n) AS unconfirmed,
         ARRAY(SELECT jsonb_build_object('pipeline', pipeline_id, 'slug', slug) FROM pipeline_fields
                WHERE tenant_id = $1 AND slug LIKE 'extra%' ORDER BY 1) AS extra,
         ARRAY(SELECT jsonb_build_object('pipeline_id', pipeline_id, 'record_id', id) FROM records WHERE tenant_id = $1 ORDER BY id) AS drafts,
         ARRAY(SELECT record_id FROM ai_values WHERE tenant_id = $1 AND field = 'summary' AND override IS NOT NULL ORDER BY 1) AS overridden,
         ARRAY(SELECT scope || '/' || scope_id FROM ai_budget_limits WHERE tenant_id = $1 ORDER BY 1) AS limits`;

/** How often another's thing is named where that is tried: calls that mix their own with another's are tried too. */
const FOREIGN = 0.7;

/** Hands out ids of a tenant's own things or, where that is tried, of another's. */
export class Ids {
  private constructor(
    private readonly own: Things,
    private readonly other: Things | undefined,
    private readonly sides: [Side, Side],
    private readonly dice: Random,
  ) {}

  /** @param other whose ids are to be tried too. */
  static async of(database: TestDatabase, side: Side, other: Side, tried: boolean, dice: Random) {
    const things = async ({ api }: Side) =>
      (await database.sql<Things>(THINGS, [api.tenantId, api.userId]))[0]!;
    return new Ids(await things(side), tried ? await things(other) : undefined, [side, other], dice);
  }

  /** What of the other tenant may be handed out, ids alone. */
  get others(): string[] {
    if (!this.other) return [];
    const { pipelines, records, users, jobs, runs, values } = this.other;
    return [
      ...pipelines,
      ...records,
      ...users,
      ...jobs,
      ...runs,
      ...values.map(({ execution }) => execution),
    ];
  }

  pipeline = (): string => this.pick((things) => things.pipelines) ?? randomUUID();
  record = (): string => this.pick((things) => things.records) ?? randomUUID();
  user = (): string => this.pick((things) => things.users) ?? randomUUID();
  job = (): string => this.pick((things) => things.jobs) ?? randomUUID();
  jobThatIs = (what: 'open' | 'failed'): string =>
    this.pick((things) => (what === 'open' ? things.openJobs : things.failedJobs)) ?? this.job();
  run = (): string => this.pick((things) => things.runs) ?? randomUUID();
  value = (): ValueId =>
    this.pick((things) => things.values) ?? {
      record: this.record(),
      field: 'summary',
      execution: randomUUID(),
    };
  /** What a field that is being configured is tried on. */
  draft = () =>
    this.pick((things) => things.drafts) ?? { pipeline_id: this.pipeline(), record_id: this.record() };
  /** A record whose summary somebody has written over. */
  overridden = (): string => this.pick((things) => things.overridden) ?? this.record();
  /** A budget that is set. */
  limit = (): string => this.pick((things) => things.limits) ?? `user/${this.user()}`;
  unconfirmed = () => this.pick((things) => things.unconfirmed) ?? { job: this.job(), attempt: 1, n: 1 };
  extraField = () => this.pick((things) => things.extra) ?? { pipeline: this.pipeline(), slug: 'extra_none' };

  /** A thing that may go: never a tenant's first, which everything else is found through. */
  spare(kind: 'pipelines' | 'records'): string {
    return this.pick((things) => things[kind].slice(1)) ?? randomUUID();
  }

  email(): string {
    return this.sides[this.isForeign() ? 1 : 0].email;
  }

  private pick<T>(from: (things: Things) => readonly T[]): T | undefined {
    const items = from(this.isForeign() ? this.other! : this.own);
    return items.length === 0 ? undefined : this.dice.pick(items);
  }

  private isForeign(): boolean {
    return this.other !== undefined && this.dice.chance(FOREIGN);
  }
}
