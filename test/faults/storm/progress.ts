import { setTimeout as wait } from 'node:timers/promises';
import type { TestDatabase } from '../../support/database.js';

const LOOK_MS = 100;
/** Nothing moves for so long: only a broken product gets there. */
const STUCK_MS = 90_000;

interface Counts {
  made: number;
  ended: number;
  completed: number;
  open: number;
  holds: number;
}

/** Figures that must be the same in two looks for the storm to stand still. */
interface Look extends Counts {
  attempts: number;
}

const COUNT = `
  SELECT count(*)::int AS made, count(completed_at)::int AS ended,
         count(*) FILTER (WHERE status = 'completed')::int AS completed,
         count(*) FILTER (WHERE status IN ('pending', 'processing'))::int AS open,
         coalesce(sum(attempt), 0)::int AS attempts, (SELECT count(*)::int FROM ai_holds) AS holds
    FROM ai_jobs`;
const STUCK_JOBS = `
  SELECT id, field, record_id, status, wait_reason, error_code, attempt, retry_count, lane, worker_id,
         run_after - now() AS due_in, handed_until - now() AS handed_for, lease_until - now() AS lease_for, upstream
    FROM ai_jobs WHERE status IN ('pending', 'processing') ORDER BY run_after LIMIT 20`;
const STUCK_HOLDS = `SELECT job_id, attempt, n, state, now() - held_at AS age FROM ai_holds ORDER BY held_at LIMIT 20`;

/** Jobs that have no end, or holds: with what is known of them. */
export class StormStuck extends Error {}

/** Watches how far the jobs are. Time plays no part, except that standing still for long is a failure. */
export class Progress {
  private last = '';
  private movedAt = Date.now();

  constructor(
    private readonly database: TestDatabase,
    private readonly signal?: AbortSignal,
  ) {}

  async counts(): Promise<Counts> {
    const [look] = await this.database.sql<Look>(COUNT);
    const now = JSON.stringify(look);
    if (now !== this.last) this.movedAt = Date.now();
    this.last = now;
    return look!;
  }

  /** Waits until the counts are as wanted. @throws StormStuck where nothing moves for long; what the signal gives. */
  async until(what: string, wanted: (counts: Counts) => boolean): Promise<Counts> {
    this.movedAt = Date.now();
    for (;;) {
      this.signal?.throwIfAborted();
      const counts = await this.counts();
      if (wanted(counts)) return counts;
      if (Date.now() - this.movedAt > STUCK_MS) throw await this.stuck(what, counts);
      await wait(LOOK_MS);
    }
  }

  private async stuck(what: string, counts: Counts): Promise<StormStuck> {
    const jobs = await this.database.sql(STUCK_JOBS);
    const holds = await this.database.sql(STUCK_HOLDS);
    const dump = [...jobs, ...holds].map((row) => JSON.stringify(row)).join('\n');
    return new StormStuck(`Waited in vain until ${what}: ${JSON.stringify(counts)}\n${dump}`);
  }
}

/** Nothing is under way, and every settlement has reached its budget. */
export function isQuiet({ open, holds }: Counts): boolean {
  return open === 0 && holds === 0;
}
