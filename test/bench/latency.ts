import { Api } from '../support/api.js';
import { EventReader } from '../support/event-reader.js';
import type { TestDatabase } from '../support/database.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { KeepAliveClient } from './keep-alive-client.js';
import { addLeads, addRecords, newNotes, SUMMARY } from './leads.js';
import { quantile, spreadOf } from './spread.js';

const ROUNDS = 3;
const EDITS = 500;
const WARM_UP = 100;

/** From the save to the event that the new value is ready, while nothing else happens. */
export const latency: Bench = {
  name: 'latency',
  what: `from an edit to the event that its value is ready, idle system, ${ROUNDS} × ${EDITS} edits one after another`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const database = await stage.database();
    const product = await stage.product(database);
    try {
      return figuresOf(await measure(database, await Api.register(product.url)));
    } finally {
      await product.stop();
      await database.drop();
    }
  },
};

/** @returns the milliseconds of each edit, by round. */
async function measure(database: TestDatabase, api: Api): Promise<number[][]> {
  const client = new KeepAliveClient(api);
  const events = await api.events();
  const pipelineId = await addLeads(api);
  const rounds: number[][] = [];
  for (let i = -1; i < ROUNDS; i++) {
    const ids = await addRecords(database, api.tenantId, pipelineId, i < 0 ? WARM_UP : EDITS);
    await database.sql('VACUUM ANALYZE');
    const times: number[] = [];
    for (const id of ids) {
      const started = performance.now();
      const saved = client.save(id, { notes: newNotes(`round ${i}`) });
      times.push((await readyAt(events, id)) - started);
      await saved;
    }
    await checkReady(api, ids);
    if (i >= 0) rounds.push(times);
  }
  events.close();
  client.close();
  return rounds;
}

/** When the event came that tells of the value that was generated for this record. */
export async function readyAt(events: EventReader, recordId: string): Promise<number> {
  for (;;) {
    const woken = events.next();
    const seen = events.events.splice(0);
    const isReady = seen.some(
      ({ type, data }) =>
        type === 'ai_value.changed' && data['record_id'] === recordId && data['outcome'] === 'generated',
    );
    if (isReady) return performance.now();
    await woken;
  }
}

async function checkReady(api: Api, ids: string[]): Promise<void> {
  for (const id of ids) {
    const { state } = (await api.get(`/records/${id}`)).ai[SUMMARY];
    if (state !== 'ready')
      throw new Error(`The value of record ${id} is ${state}, and its event said ready.`);
  }
}

function figuresOf(rounds: number[][]): Figure[] {
  const at = (share: number) => spreadOf(rounds.map((times) => quantile(times, share)));
  return [
    { name: 'p50', unit: 'ms', spread: at(0.5), target: { atMost: 40 } },
    { name: 'p90', unit: 'ms', spread: at(0.9) },
    { name: 'p99', unit: 'ms', spread: at(0.99), target: { atMost: 150 } },
    { name: 'slowest', unit: 'ms', spread: at(1) },
  ];
}
