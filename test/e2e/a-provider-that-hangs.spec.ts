import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { billed, budgetOf, cents, ledgerEntries } from '../support/money.js';
import { promptOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const TIMEOUT_MS = 2_000;

describe('a provider that hangs', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage({
      AI_PROVIDER_TIMEOUT_MS: `${TIMEOUT_MS}`,
      AI_RETRY_BASE_MS: '1',
      AI_MAX_RETRIES: '1',
    });
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  afterAll(() => stage.close());

  it('is given up after the time a call may take: retried, and the call stays unconfirmed', async () => {
    stage.simulator.script([
      { match: { prompt_includes: 'Ada' }, times: 1, action: { type: 'hang' } },
      { match: { prompt_includes: 'Bob' }, times: 1, action: { type: 'hang', after_bytes: 300 } },
      { match: { prompt_includes: 'Cleo' }, action: { type: 'hang' } },
    ]);
    const added = await leads.addMany(['Ada', 'Bob', 'Cleo']);
    const jobs: Body[] = await Promise.all(added.map(({ jobId }) => api.job(jobId)));

    const requests = stage.simulator.requests();
    const ledger = await ledgerEntries(stage.database, api.tenantId);
    const entriesOf = (job: Body) =>
      ledger.filter((row) => row.job_id === job.id).map(({ entry, outcome }) => `${entry} ${outcome}`);
    for (const [n, job] of jobs.slice(0, 2).entries()) {
      expect(job).toMatchObject({ status: 'completed', outcome: 'generated', attempts: 2, retry_count: 1 });
      expect(entriesOf(job)).toEqual(['unconfirmed provider_timeout', 'settled answered']);
      expect(job.executions[0].error_message).toContain(`within ${TIMEOUT_MS / 1000} s`);
      expect(await leads.valueOf(added[n]!.recordId)).toMatchObject({ state: 'ready' });
    }
    const [, , cleo] = jobs;
    expect(cleo).toMatchObject({ status: 'failed', error_code: 'provider_timeout', attempts: 2 });
    expect(entriesOf(cleo)).toEqual(['unconfirmed provider_timeout', 'unconfirmed provider_timeout']);
    expect(await leads.valueOf(added[2]!.recordId)).toMatchObject({
      state: 'failed',
      error: { code: 'provider_timeout' },
    });
    expect(requests).toHaveLength(6);

    const lost = ledger.filter(({ entry }) => entry === 'unconfirmed');
    expect(lost.every((row) => row.cost_nano === row.hold_nano)).toBe(true);
    const unconfirmed = lost.reduce((sum, row) => sum + BigInt(row.hold_nano), 0n);
    const answered = requests.filter((request) => request.answer?.complete);
    expect(answered.map(promptOf).sort()).toEqual(['Summarise Ada.', 'Summarise Bob.']);
    expect(await budgetOf(api)).toMatchObject({
      held_cents: 0,
      unconfirmed_cents: cents(unconfirmed),
      spent_cents: cents(unconfirmed + billed(answered)),
    });
  });
});
