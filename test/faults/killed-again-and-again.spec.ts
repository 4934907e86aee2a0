import type { Api, Body } from '../support/api.js';
import { ledgerEntries, settledSpent } from '../support/money.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { promptOf } from '../support/provider-calls.js';
import { Random } from '../support/random.js';
import { setStage, type Stage } from '../support/stage.js';

const RECORDS = 20;
const KILLS = 3;

interface JobRow {
  record_id: string;
  status: string;
}

describe('a process killed again and again', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage({
      AI_LEASE_MS: '700',
      AI_MAX_RETRIES: '20',
      AI_RETRY_BASE_MS: '1',
      AI_WORKER_CONCURRENCY: '4',
    });
    api = await stage.tenant();
  });

  afterAll(async () => {
    api.close();
    await stage.close();
  });

  it('ends every job, with the right values, and the ledger knows every call', async () => {
    const random = new Random(7);
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}.' }),
    ]);
    stage.simulator.script([{ latency_ms: 20 }]);
    const names = Array.from({ length: RECORDS }, (_, n) => `Lead${n}`);
    const records: Body[] = await Promise.all(names.map((name) => addRecord(api, pipelineId, { name })));
    for (let kill = 0; kill < KILLS; kill++) {
      const received = stage.simulator.requests().length;
      await stage.simulator.waitForRequests(received + random.integer(1, 3));
      await stage.restart('kill');
      // What was handed to the dead process is found when its time is up; here it is.
      await stage.database.sql(`UPDATE ai_jobs SET handed_until = now() WHERE handed_until IS NOT NULL`);
    }
    api.close();
    api = api.at(stage.product.url);

    for (const record of records) {
      const settled = await api.settled(record.id);
      expect(settled.ai.summary.state).toBe('ready');
      expect(settled.data.summary).toContain(settled.data.name);
      const answers = callsFor(settled.data.name).map(({ answer }) => answer?.text);
      expect(answers).toContain(settled.data.summary);
    }
    const jobs = await stage.database.sql<JobRow>('SELECT record_id, status FROM ai_jobs');
    expect(jobs).toHaveLength(RECORDS);
    expect(jobs.filter(({ status }) => status !== 'completed')).toEqual([]);
    expect(stage.simulator.requests().length).toBeGreaterThan(RECORDS);

    const spent = await settledSpent(api, stage.database);
    const ledger = await ledgerEntries(stage.database, api.tenantId);
    for (const [n, { id }] of records.entries()) {
      const own = ledger.filter(
        ({ record_id, entry }) => record_id === id && entry !== 'unconfirmed_released',
      );
      expect(own.length).toBeGreaterThanOrEqual(callsFor(names[n]!).length);
      expect(own.filter(({ entry }) => entry === 'settled')).toHaveLength(1);
    }
    expect(ledger.some(({ entry }) => entry === 'unconfirmed')).toBe(true);
    expect(ledger.reduce((sum, { cost_nano }) => sum + BigInt(cost_nano!), 0n)).toBe(spent);
  });

  const callsFor = (name: string) =>
    stage.simulator.requests().filter((request) => promptOf(request) === `Summarise ${name}.`);
});
