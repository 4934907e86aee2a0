import { Leads } from '../support/leads.js';
import { ledgerEntries, tokenCost } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const MODEL = 'claude-haiku-4-5';

describe('a process killed in a turn that was paused', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage({ AI_LEASE_MS: '1000' });
  });

  afterAll(() => stage.close());

  it('leaves half an answer that no later attempt takes for a whole one, and all calls accounted for', async () => {
    const api = await stage.tenant();
    const leads = await Leads.of(api, { model: MODEL });
    stage.simulator.script([
      { times: 1, action: { type: 'answer', text: 'Half of it, ', pause: true } },
      { times: 1, action: { type: 'hold' } },
      { action: { type: 'answer', text: 'All of it.' } },
    ]);
    const { recordId, jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(2);
    await stage.restart('kill');

    const again = api.at(stage.product.url);
    expect(await again.job(jobId)).toMatchObject({ status: 'completed', attempts: 2 });
    expect((await again.get(`/records/${recordId}`)).data.summary).toBe('All of it.');
    const [first, , third] = stage.simulator.requests();
    expect(await ledgerEntries(stage.database, api.tenantId)).toMatchObject([
      { attempt: 1, n: 1, entry: 'settled', cost_nano: String(tokenCost(MODEL, first!.answer!.usage)) },
      { attempt: 1, n: 2, entry: 'unconfirmed' },
      { attempt: 2, n: 1, entry: 'settled', cost_nano: String(tokenCost(MODEL, third!.answer!.usage)) },
    ]);
    again.close();
  });
});
