import type { Api } from '../support/api.js';
import { setStage, type Stage } from '../support/stage.js';

interface LedgerRow {
  entry: string;
  cost: string;
}

describe('answers that cannot be stored as they are', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
  });

  afterAll(() => stage.close());

  async function recordWith(outputType: string): Promise<string> {
    const ai_config = {
      prompt: 'About {name}',
      output_type: outputType,
      cache_duration: 0,
      max_tokens: 50_000,
    };
    const pipeline = await api.post('/pipelines', {
      name: `Leads ${outputType}`,
      fields: [
        { name: 'Name', slug: 'name', field_type: 'text' },
        { name: 'Note', slug: 'note', field_type: 'ai_generated', ai_config },
      ],
    });
    const { id } = await api.post(`/pipelines/${pipeline.id}/records`, { data: { name: 'Ada' } });
    return id;
  }

  function ledgerOf(recordId: string): Promise<LedgerRow[]> {
    return stage.database.sql<LedgerRow>(
      'SELECT entry, cost_nano::text AS cost FROM ai_ledger WHERE record_id = $1 ORDER BY n',
      [recordId],
    );
  }

  it('asks once to repair an answer with NUL in it, and settles both calls', async () => {
    stage.simulator.script([{ times: 1, action: { type: 'answer', text: 'half\u0000\ud800 an answer' } }]);
    const id = await recordWith('text');
    const record = await api.settled(id);
    expect(record.ai.note.state).toBe('ready');
    expect((await ledgerOf(id)).map(({ entry }) => entry)).toEqual(['settled', 'settled']);
  });

  it('cuts a long answer for its repair between characters, not through one', async () => {
    const text = `a${'😀'.repeat(10_001)} not json`;
    stage.simulator.script([{ times: 1, action: { type: 'answer', text } }]);
    const id = await recordWith('json');
    const record = await api.settled(id);
    expect((await ledgerOf(id)).map(({ entry }) => entry)).toEqual(['settled', 'settled']);
    expect(['ready', 'failed']).toContain(record.ai.note.state);
  });
});
