import { expandedPrompt, subjectKey, UPSTREAM } from '../fields.js';
import type { ShownRecord } from '../tenants.js';
import { bySubject, type Evidence } from './evidence.js';

/** Every job has an end, and what failed failed for want of money. */
export function checkJobs({ jobs }: Evidence, roomyTenants: ReadonlySet<string>): string[] {
  return jobs.flatMap((job) => {
    const { id, status, error_code: code, tenant_id: tenant } = job;
    const what = `job ${id} of ${job.field} is ${status} (${code})`;
    if (!['completed', 'failed', 'cancelled'].includes(status) || !job.ended) return [`no end: ${what}`];
    if (status === 'cancelled' && code !== 'superseded') return [`cancelled by nobody: ${what}`];
    if (status === 'failed' && code !== 'budget_exceeded') return [`failed: ${what}`];
    if (status === 'failed' && roomyTenants.has(tenant)) return [`failed in a roomy budget: ${what}`];
    return [];
  });
}

/** What each value was made from, by what its execution says, was answered with just this value. */
export function checkRight({ values, requests }: Evidence): string[] {
  return values.flatMap((value) => {
    const key = subjectKey(value.record_id, value.field);
    const { generated, prompt } = value;
    if (prompt === null || !value.stored || value.executed !== generated) {
      return [`value of ${key}: its execution does not hold it`];
    }
    if (value.data[value.field] !== generated) return [`value of ${key}: the record shows another one`];
    const answered = (requests.get(key) ?? []).some(({ answer, body }) => {
      return answer?.text.trim() === generated && JSON.stringify(body).includes(JSON.stringify(prompt));
    });
    return answered ? [] : [`value of ${key}: the provider never answered its prompt with it`];
  });
}

/**
 * Every value is fresh for its record as it stands now, by its own prompt; only where money ran out may a field of the
 * record, and what is made from it, be behind, and then its state says so.
 */
export function checkFresh(
  evidence: Evidence,
  records: readonly (ShownRecord & { roomy: boolean })[],
): string[] {
  const values = bySubject(evidence.values);
  return records.flatMap(({ id, data, ai, roomy }) =>
    Object.keys(UPSTREAM).flatMap((field) => {
      const state = ai[field]?.state ?? 'absent';
      const key = `${field} of ${id} (${state})`;
      if (state === 'ready') {
        const prompt = values.get(subjectKey(id, field))?.[0]?.prompt;
        return prompt === expandedPrompt(field, id, data) ? [] : [`not fresh: ${key}`];
      }
      const behind = UPSTREAM[field]!.some((upstream) => ai[upstream]?.state !== 'ready');
      const excused = !roomy && (state === 'blocked' || (behind && ['stale', 'empty'].includes(state)));
      return excused ? [] : [`not there: ${key}`];
    }),
  );
}
