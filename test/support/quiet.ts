import type { Api } from './api.js';
import type { TestDatabase } from './database.js';

const OPEN = `SELECT id FROM ai_jobs WHERE tenant_id = $1 AND status IN ('pending', 'processing') ORDER BY id`;
const UNFINISHED = `
  SELECT FROM ai_runs WHERE tenant_id = $1 AND queueing UNION ALL SELECT FROM ai_holds WHERE tenant_id = $1`;

/** Waits until nothing is under way for a tenant: job after job, however many there are, and then what follows from them. */
export async function quiet(database: TestDatabase, api: Api): Promise<void> {
  for (;;) {
    const open = await database.sql<{ id: string }>(OPEN, [api.tenantId]);
    for (const { id } of open) await api.job(id);
    await api.until('every run is queued and every hold is settled', async () => {
      return (await database.sql(UNFINISHED, [api.tenantId])).length === 0;
    });
    if (open.length === 0) return;
  }
}
