import type { EventReader } from '../support/event-reader.js';
import { Leads } from '../support/leads.js';
import { cents } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

/** Nano-USD of each call: 100 tokens in, 20 out, of gpt-4o-mini. */
const COST = 27_000;
const CLOSED = ['budget.alert', 'provider_key.changed'];

describe('events', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());

  it('of budgets and keys are told to whoever may read those, all others to everybody', async () => {
    const usage = { input_tokens: 100, output_tokens: 20 };
    const owner = await stage.tenant();
    const leads = await Leads.of(owner, { max_tokens: 20 });
    const [admin, editor, viewer] = [
      await owner.as('admin'),
      await owner.as('editor'),
      await owner.as('viewer'),
    ];
    const screens = [await admin.events(), await editor.events(), await viewer.events()];
    const types = ({ events }: EventReader) => new Set(events.map(({ type }) => type));

    await owner.ok('PUT', '/budgets/tenant/self', { limit_cents: cents(10 * COST) });
    stage.simulator.script([{ action: { type: 'answer', text: 'Dear.', usage } }]);
    for (const name of ['Ada', 'Grace', 'Edsger', 'Niklaus', 'Donald']) await leads.addDone(name);
    stage.simulator.script([{ action: { type: 'error', status: 401 } }]);
    for (const name of ['Alan', 'Barbara', 'Tony']) await leads.addDone(name);
    await leads.add('Leslie');
    await owner.until('the admin is told', async () => CLOSED.every((type) => types(screens[0]!).has(type)));

    const last = await owner.post(`/pipelines/${leads.pipelineId}/records`, { data: {} });
    await owner.until('every screen is up to date', async () =>
      screens.every(({ events }) => events.some(({ data }) => data['record_id'] === last.id)),
    );
    for (const screen of screens.slice(1)) {
      expect([...types(screen)].filter((type) => CLOSED.includes(type))).toEqual([]);
      expect([...types(screen)].sort()).toEqual(['ai_job.changed', 'ai_value.changed', 'record.updated']);
    }
    for (const screen of screens) screen.close();
  });
});
