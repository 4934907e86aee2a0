import type { StormTenant } from '../tenants.js';
import type { JobEvidence } from './evidence.js';

/** A stream looks by itself every two seconds; this is for a machine under load. */
const PATIENCE_MS = 15_000;
const LOOK_MS = 200;

/** A screen that was open all the time has been told the end of every job. */
export async function checkEvents(tenants: readonly StormTenant[], jobs: JobEvidence[]): Promise<string[]> {
  const problems = await Promise.all(tenants.map((tenant) => untold(tenant, jobs)));
  return problems.flat();
}

async function untold({ name, api, events }: StormTenant, jobs: JobEvidence[]): Promise<string[]> {
  const own = jobs.filter(({ tenant_id: tenant }) => tenant === api.tenantId);
  const late = Date.now() + PATIENCE_MS;
  for (;;) {
    const told = new Map(
      events.events
        .filter(({ type }) => type === 'ai_job.changed')
        .map(({ data }) => [data['job_id'], data['status']]),
    );
    const missing = own.filter(({ id, status }) => told.get(id) !== status);
    if (missing.length === 0) return [];
    if (Date.now() > late) {
      const [{ id, status }] = missing as [JobEvidence];
      return [`events: ${missing.length} ends of jobs were never told to ${name}, such as ${id} (${status})`];
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
