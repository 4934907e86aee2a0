import { Api } from '../../support/api.js';
import { importCsv } from '../../support/csv.js';
import { EventReader } from '../../support/event-reader.js';
import { addPipeline, addRecord } from '../../support/pipelines.js';
import { AI_FIELDS, stormFields } from './fields.js';

/** A tenant in a storm. */
export interface StormTenant {
  name: string;
  api: Api;
  pipelineId: string;
  /** Whether its budgets have room for everything it wants; then every value must be there in the end. */
  roomy: boolean;
  recordIds: string[];
  /** A screen that is open all the time. */
  events: EventReader;
}

/** What a tenant may spend, in cents for each of its records; a record that is never edited takes about 0.03. */
interface Purse {
  name: string;
  tenant?: number;
  summaries?: number;
}

const PURSES: readonly Purse[] = [
  { name: 'Unlimited' },
  { name: 'Roomy', tenant: 100 },
  { name: 'Tight', tenant: 0.02 },
  { name: 'Tight in one field', tenant: 100, summaries: 0.004 },
];

/** Half of the records come by import, in the lane of backfill. */
const IMPORTED_SHARE = 0.5;

/** Registers the tenants and gives them their records; what their AI fields want is due at once. */
export async function addTenants(url: string, records: number): Promise<StormTenant[]> {
  const each = Math.max(2, Math.round(records / PURSES.length));
  const tenants: StormTenant[] = [];
  for (const purse of PURSES) tenants.push(await addTenant(url, purse, each));
  for (const tenant of tenants) await addRecords(tenant, each);
  return tenants;
}

async function addTenant(url: string, purse: Purse, records: number): Promise<StormTenant> {
  const api = await Api.register(url, purse.name);
  const pipelineId = await addPipeline(api, stormFields());
  await limit(api, 'tenant/self', purse.tenant, records);
  await limit(api, `field/${pipelineId}:summary`, purse.summaries, records);
  const roomy = purse.tenant !== 0.02 && purse.summaries === undefined;
  const events = await EventReader.open(url, api.token);
  return { name: purse.name, api, pipelineId, roomy, recordIds: [], events };
}

async function limit(api: Api, budget: string, centsEach: number | undefined, records: number) {
  if (centsEach === undefined) return;
  await api.ok('PUT', `/budgets/${budget}`, { limit_cents: Number((centsEach * records).toFixed(7)) });
}

async function addRecords({ api, pipelineId, recordIds, name }: StormTenant, count: number): Promise<void> {
  const imported = Math.floor(count * IMPORTED_SHARE);
  const rows = Array.from({ length: imported }, (_, n) => `${name} ${n},City 0`);
  const answer = await importCsv(api, pipelineId, `name,city\n${rows.join('\n')}\n`, '?generate=true');
  if (answer.body.imported !== imported) throw new Error(`Not imported: ${JSON.stringify(answer.body)}`);
  for (let n = imported; n < count; n++) {
    await addRecord(api, pipelineId, { name: `${name} ${n}`, city: 'City 0' });
  }
  recordIds.push(...(await allRecords(api, pipelineId)).map(({ id }) => id));
}

export interface ShownRecord {
  id: string;
  data: Record<string, unknown>;
  ai: Record<string, { state: string; error?: { code: string } }>;
}

/** All records of a pipeline, as screens show them. */
export async function allRecords(api: Api, pipelineId: string): Promise<ShownRecord[]> {
  const records: ShownRecord[] = [];
  let cursor = '';
  do {
    const page = await api.get(`/pipelines/${pipelineId}/records?limit=200${cursor && `&cursor=${cursor}`}`);
    records.push(...page.items);
    cursor = page.next_cursor ? encodeURIComponent(page.next_cursor) : '';
  } while (cursor);
  return records;
}

/** Jobs that a record makes when it is added. */
export const JOBS_OF_A_RECORD = AI_FIELDS.length;
