import pg from 'pg';
import type { Api } from '../support/api.js';
import type { EventReader, SeenEvent } from '../support/event-reader.js';
import { addPipeline, addRecord, ai, edit, plain } from '../support/pipelines.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

/** What an event may hold: ids, names of fields and states, counts. */
const KEYS = {
  'record.updated': ['record_id', 'pipeline_id', 'version'],
  'records.imported': ['pipeline_id', 'count'],
  'record.deleted': ['record_id', 'pipeline_id'],
  'ai_job.changed': ['job_id', 'pipeline_id', 'record_id', 'field', 'status', 'outcome', 'error_code'],
  'ai_value.changed': ['job_id', 'pipeline_id', 'record_id', 'field', 'status', 'outcome', 'error_code'],
};

describe('the stream of events', () => {
  let stage: Stage;
  let second: RunningProduct;
  let api: Api;
  let there: Api;
  let pipelineId: string;
  let readers: EventReader[];

  beforeAll(async () => {
    stage = await setStage();
    const env = { ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' };
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl, env });
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
  });

  beforeEach(async () => {
    readers = [];
    api = await stage.tenant();
    there = api.at(second.url);
    pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}' })]);
  });

  afterEach(() => {
    readers.forEach((reader) => reader.close());
    there.close();
  });

  async function open(at: Api, lastEventId?: string): Promise<EventReader> {
    const reader = await at.events(lastEventId);
    readers.push(reader);
    return reader;
  }

  /** Waits until an event of the reader fits. @returns all events up to it. */
  async function seen(reader: EventReader, fits: (event: SeenEvent) => boolean): Promise<SeenEvent[]> {
    for (;;) {
      const woken = reader.next();
      const index = reader.events.findIndex(fits);
      if (index >= 0) return reader.events.slice(0, index + 1);
      await woken;
    }
  }

  const ids = (events: SeenEvent[]) => events.map(({ id }) => id);
  const ofRecord = (id: string) => (event: SeenEvent) =>
    event.type === 'record.updated' && event.data['record_id'] === id;
  const generated = (id: string) => (event: SeenEvent) =>
    event.type === 'ai_value.changed' && event.data['record_id'] === id;

  it('tells a client at another process of records, jobs and values, with ids and states only', async () => {
    const reader = await open(there);
    const record = await addRecord(api, pipelineId, { name: 'Top secret Ada' });
    await seen(reader, generated(record.id));
    await api.settled(record.id);
    await edit(api, record.id, { name: 'Top secret Grace' });
    const events = await seen(reader, (event) => event.data['version'] === 2);

    const jobId = record.ai_processing.triggered_jobs[0].job_id;
    const about = { pipeline_id: pipelineId, record_id: record.id };
    const told = (type: string, key: string) =>
      events.filter((event) => event.type === type && !isOther(event)).map(({ data }) => data[key]);
    const isOther = ({ data }: SeenEvent) => 'job_id' in data && data['job_id'] !== jobId;
    expect(told('record.updated', 'version')).toEqual([1, 2]);
    expect(told('ai_job.changed', 'status')).toEqual(['pending', 'processing', 'completed']);
    expect(told('ai_value.changed', 'status')).toEqual(['completed']);
    for (const { type, data } of events) {
      expect(Object.keys(KEYS)).toContain(type);
      expect(KEYS[type as keyof typeof KEYS]).toEqual(expect.arrayContaining(Object.keys(data)));
      expect(data).toMatchObject(about);
    }
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  it('goes on behind the last event that was seen, at any process, with no loss and nothing twice', async () => {
    const whole = await open(api);
    let cut = await open(there);
    const parts: SeenEvent[] = [];
    for (let n = 0; n < 5; n += 1) {
      const record = await addRecord(api, pipelineId, { name: `Name ${n}` });
      await seen(cut, ofRecord(record.id));
      cut.close();
      parts.push(...cut.events);
      // What happens while nobody listens.
      await edit(api, record.id, { name: `Changed ${n}` });
      cut = await open(n % 2 === 0 ? api : there, parts.at(-1)!.id);
    }
    const last = await addRecord(api, pipelineId, { name: 'Last' });
    await api.settled(last.id);
    const all = await seen(whole, generated(last.id));
    await seen(cut, generated(last.id));
    parts.push(...cut.events);
    expect(ids(parts).slice(0, all.length)).toEqual(ids(all));
    expect(new Set(ids(parts)).size).toBe(parts.length);
    const rows = await stage.database.sql<{ id: string }>(
      `SELECT xid || '-' || seq AS id FROM ai_events WHERE tenant_id = $1 AND (xid, seq) >= ($2::text::xid8, $3) ORDER BY xid, seq`,
      [api.tenantId, ...all[0]!.id.split('-')],
    );
    expect(ids(all)).toEqual(rows.slice(0, all.length).map(({ id }) => id));
  });

  it('keeps the order of what was written, over any number of pages', async () => {
    const [first] = await stage.database.sql<{ id: string }>(
      `INSERT INTO ai_events (tenant_id, type, payload) VALUES ($1, 'record.updated', '{"version": 0}') RETURNING xid || '-' || seq AS id`,
      [api.tenantId],
    );
    await stage.database.sql(
      `INSERT INTO ai_events (tenant_id, type, payload)
       SELECT $1, 'record.updated', jsonb_build_object('version', n) FROM generate_series(1, 1200) n`,
      [api.tenantId],
    );
    const reader = await open(there, first!.id);
    const events = await seen(reader, ({ data }) => data['version'] === 1200);
    expect(events.map(({ data }) => data['version'])).toEqual(Array.from({ length: 1200 }, (_, n) => n + 1));
  });

  it.each(['1-1', 'nonsense', '99999999999999999999-1', "1'; DROP TABLE ai_events"])(
    'tells a client with an unknown last event to load anew: %s',
    async (lastEventId) => {
      const reader = await open(api, lastEventId);
      await seen(reader, ({ type }) => type === 'resync');
      const record = await addRecord(api, pipelineId, { name: 'Afterwards' });
      const events = await seen(reader, ofRecord(record.id));
      expect(events[0]).toEqual({ id: '', type: 'resync', data: {} });
      expect(events.slice(1).every(({ data }) => data['record_id'] === record.id)).toBe(true);
    },
  );

  it('does not take the last event of another tenant', async () => {
    const other = await stage.tenant();
    const reader = await open(api);
    const record = await addRecord(api, pipelineId, { name: 'Mine' });
    const [event] = await seen(reader, ofRecord(record.id));
    const theirs = await open(other, event!.id);
    expect((await seen(theirs, ({ type }) => type === 'resync'))[0]?.type).toBe('resync');
  });

  it('is not slipped past by a transaction that commits late', async () => {
    const late = new pg.Client({ connectionString: stage.database.adminUrl });
    await late.connect();
    try {
      const [here, elsewhere] = [await open(api), await open(there)];
      await late.query('BEGIN');
      await late.query(`INSERT INTO ai_events (tenant_id, type, payload) VALUES ($1, 'record.updated', $2)`, [
        api.tenantId,
        { record_id: 'late', pipeline_id: pipelineId, version: 7 },
      ]);
      const record = await addRecord(api, pipelineId, { name: 'Faster' });
      await api.settled(record.id);
      expect([...here.events, ...elsewhere.events]).toEqual([]);
      await late.query('COMMIT');
      for (const reader of [here, elsewhere]) {
        const events = await seen(reader, generated(record.id));
        expect(events[0]?.data['record_id']).toBe('late');
        expect(events.filter(({ data }) => data['record_id'] === 'late')).toHaveLength(1);
      }
    } finally {
      await late.end();
    }
  });

  it('is for people who are signed in, and ends with the process', async () => {
    const nobody = await fetch(`${second.url}/api/v1/events`);
    expect(nobody.status).toBe(401);
    const reader = await open(there);
    expect(await second.stop()).toBe(0);
    await reader.ended;
    const env = { ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' };
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl, env });
  });
});
