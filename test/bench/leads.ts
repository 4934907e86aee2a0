import type { Api } from '../support/api.js';
import type { TestDatabase } from '../support/database.js';

/** The slug of the AI field of {@link addLeads}. */
export const SUMMARY = 'summary';

const FIELDS = [
  { name: 'Name', slug: 'name', field_type: 'text' },
  { name: 'Company', slug: 'company', field_type: 'text' },
  { name: 'Email', slug: 'email', field_type: 'email' },
  { name: 'Amount', slug: 'amount', field_type: 'currency', options: { currency: 'EUR' } },
  { name: 'Notes', slug: 'notes', field_type: 'textarea' },
];

const AI_FIELD = {
  name: 'Summary',
  slug: SUMMARY,
  field_type: 'ai_generated',
  ai_config: { prompt: 'Summarise {name} of {company}: {notes}', model: 'gpt-4o-mini', max_tokens: 200 },
};

/** Makes a pipeline of five fields and, unless told otherwise, one AI field. @returns its id. */
export async function addLeads(api: Api, { ai = true } = {}): Promise<string> {
  const name = ai ? 'Leads' : 'Leads without AI';
  const { id } = await api.post('/pipelines', { name, fields: ai ? [...FIELDS, AI_FIELD] : FIELDS });
  return id;
}

/** Puts records in behind the product's back, so that no job comes of them. @returns their ids. */
export async function addRecords(
  database: TestDatabase,
  tenantId: string,
  pipelineId: string,
  count: number,
): Promise<string[]> {
  const rows = await database.sql<{ id: string }>(
    `INSERT INTO records (tenant_id, id, pipeline_id, data)
     SELECT $1, gen_random_uuid()::text, $2, jsonb_build_object('name', 'Ada Lovelace ' || i, 'company', 'Analytical Engines ' || i,
       'email', 'ada' || i || '@example.com', 'amount', 1000 + i, 'notes', repeat('Met at the fair, wants an offer. ', 6) || i)
       FROM generate_series(1, $3::int) i RETURNING id`,
    [tenantId, pipelineId, count],
  );
  return rows.map(({ id }) => id);
}

/** New notes, as long as the ones before. */
export function newNotes(mark: string): string {
  return `${'Met at the fair, wants an offer. '.repeat(6)}${mark}`;
}
