import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';

/** A result that an equal request gave before. */
export interface CachedResult {
  value: Json;
  executionId: string;
  model: string;
}

interface Row {
  value: Json;
  execution_id: string;
  model: string;
}

/** Results of a tenant by fingerprint. How old one may be is asked when it is read. */
@Injectable()
export class ResultCache {
  /**
   * @param sources of the request: a result that was made from anything else is not found. Whoever guesses a value that they
   * do not see, and asks with the same words, would learn by the answer from the cache that they are right.
   */
  async find(
    em: EntityManager,
    tenantId: string,
    { fingerprint, sources }: { fingerprint: string; sources: readonly string[] },
    maxAgeSeconds: number,
  ): Promise<CachedResult | undefined> {
    const [row] = await em.query<Row[]>(
      `SELECT value, execution_id, model FROM ai_result_cache
        WHERE tenant_id = $1 AND fingerprint = $2 AND created_at > clock_timestamp() - make_interval(secs => $3)
          AND sources <@ $4::text[]`,
      [tenantId, fingerprint, maxAgeSeconds, sources],
    );
    return row && { value: row.value, executionId: row.execution_id, model: row.model };
  }

  /** The answer that an earlier attempt of this job paid for and could not store. */
  async answerOf(
    em: EntityManager,
    tenantId: string,
    jobId: string,
    fingerprint: string,
  ): Promise<{ id: string; answer: string; model: string } | undefined> {
    const [row] = await em.query<{ id: string; answer: string; model: string }[]>(
      `SELECT id, answer, model FROM ai_executions
        WHERE tenant_id = $1 AND job_id = $2 AND fingerprint = $3 AND answer IS NOT NULL AND error_code IS NULL
          AND stop_reason IS DISTINCT FROM 'pause'
        ORDER BY created_at DESC LIMIT 1`,
      [tenantId, jobId, fingerprint],
    );
    return row;
  }
}
