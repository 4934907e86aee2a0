import type { ScriptAction } from '#libs/llm-simulator';
import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { billed, budgetOf, cents, ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

describe('failures are retried by their kind', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '1', AI_MAX_RETRIES: '2' });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  /** Runs one job whose first calls meet these actions. */
  async function run(actions: ScriptAction[], config: Record<string, unknown> = {}): Promise<Body> {
    stage.simulator.script(actions.map((action) => ({ times: 1, action })));
    const leads = await Leads.of(api, config);
    const { recordId, jobId } = await leads.add('Ada');
    const job = await api.job(jobId);
    return { job, value: await leads.valueOf(recordId) };
  }

  const entries = async () =>
    (await ledgerEntries(stage.database, api.tenantId)).map(({ entry, outcome, attempt, n }) => ({
      entry,
      outcome,
      call: `${attempt}.${n}`,
    }));
  const answered = (call: string) => ({ entry: 'settled', outcome: 'answered', call });

  it('500, then an answer: one retry is used, the failed call is released', async () => {
    const { job, value } = await run([{ type: 'error', status: 500 }]);
    expect(job).toMatchObject({ status: 'completed', outcome: 'generated', attempts: 2, retry_count: 1 });
    expect(job).toMatchObject({ error_code: null, error_message: null });
    const requests = stage.simulator.requests();
    expect(requests).toHaveLength(2);
    expect(value).toMatchObject({ state: 'ready', value: requests[1]!.answer!.text });
    expect(await entries()).toEqual([
      { entry: 'released', outcome: 'provider_server', call: '1.1' },
      answered('2.1'),
    ]);
    const [failed, good] = job.executions;
    expect(failed).toMatchObject({
      attempt: 1,
      error_code: 'provider_server',
      cost_usd: null,
      stored: false,
    });
    expect(good).toMatchObject({
      attempt: 2,
      error_code: null,
      stored: true,
      answer: requests[1]!.answer!.text,
    });
    expect(await budgetOf(api)).toMatchObject({ held_cents: 0, spent_cents: cents(billed(requests)) });
  });

  it.each([
    [401, 'provider_authentication', 'blocked'],
    [403, 'provider_permission', 'blocked'],
    [402, 'provider_quota', 'blocked'],
    [400, 'provider_invalid_request', 'failed'],
    [404, 'provider_invalid_request', 'failed'],
  ])('%i is not retried: %s', async (status, code, state) => {
    const { job, value } = await run([{ type: 'error', status }]);
    expect(job).toMatchObject({ status: 'failed', error_code: code, attempts: 1, retry_count: 0 });
    expect(job.error_message).not.toBe('');
    // The global key is used, and its base URL is an address of the operator.
    expect(job.error_message).not.toContain(new URL(stage.providerUrl).host);
    expect(value).toMatchObject({ state, error: { code, message: job.error_message } });
    expect(value.value).toBeUndefined();
    expect(stage.simulator.requests()).toHaveLength(1);
    expect(await entries()).toEqual([{ entry: 'released', outcome: code, call: '1.1' }]);
    expect(await budgetOf(api)).toMatchObject({ held_cents: 0, spent_cents: 0, unconfirmed_cents: 0 });
  });

  it.each<[string, ScriptAction, string]>([
    ['a connection cut before the answer', { type: 'cut', after_bytes: 0 }, 'provider_connection'],
    ['a connection cut in the answer', { type: 'cut' }, 'provider_connection'],
    ['408', { type: 'error', status: 408 }, 'provider_server'],
    ['502 of a gateway', { type: 'error', status: 502 }, 'provider_server'],
    ['504 of a gateway', { type: 'error', status: 504 }, 'provider_server'],
    ['524 of a gateway', { type: 'error', status: 524 }, 'provider_server'],
  ])('%s is retried; what it cost is unknown', async (_, action, outcome) => {
    const { job } = await run([action]);
    expect(job).toMatchObject({ status: 'completed', attempts: 2, retry_count: 1 });
    expect(await entries()).toEqual([{ entry: 'unconfirmed', outcome, call: '1.1' }, answered('2.1')]);
    const [lost, settled] = await ledgerEntries(stage.database, api.tenantId);
    expect(lost!.cost_nano).toBe(lost!.hold_nano);
    expect(await budgetOf(api)).toMatchObject({
      held_cents: 0,
      unconfirmed_cents: cents(lost!.hold_nano),
      spent_cents: cents(BigInt(lost!.cost_nano!) + BigInt(settled!.cost_nano!)),
    });
  });

  it('an answer that is no JSON at all is retried, and counts as unconfirmed', async () => {
    const { job } = await run([{ type: 'garbage' }]);
    expect(job).toMatchObject({ status: 'completed', attempts: 2, retry_count: 1 });
    expect(await entries()).toEqual([
      { entry: 'unconfirmed', outcome: 'provider_bad_answer', call: '1.1' },
      answered('2.1'),
    ]);
  });

  it.each([503, 529])('%i is not asked again before its retry-after; only that job waits', async (status) => {
    stage.simulator.script([{ times: 1, action: { type: 'error', status, retry_after_s: 3600 } }]);
    const leads = await Leads.of(api);
    const { jobId } = await leads.add('Ada');
    const waiting = await api.until('the job waits for its retry', async () => {
      const job = await api.get(`/ai-jobs/${jobId}`);
      return job.wait_reason === 'retry' && job;
    });
    expect(waiting).toMatchObject({ status: 'pending', attempts: 1, retry_count: 1 });
    const [refused] = stage.simulator.requests();
    expect(Date.parse(waiting.run_after)).toBeGreaterThanOrEqual(Date.parse(refused!.time) + 3_600_000);
    expect(await api.get('/ai-jobs/diagnostics')).toMatchObject({ paused_keys: [] });
    expect(await leads.addDone('Grace')).toMatchObject({ status: 'completed', retry_count: 0 });
    expect(stage.simulator.requests()).toHaveLength(2);
    await api.post('/ai-jobs/queue_pending');
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 2 });
  });

  it('a refusal is final, and was paid for', async () => {
    const { job, value } = await run([{ type: 'refusal' }]);
    expect(job).toMatchObject({ status: 'failed', error_code: 'provider_content_refusal', attempts: 1 });
    expect(value).toMatchObject({ state: 'failed', error: { code: 'provider_content_refusal' } });
    expect(await entries()).toEqual([answered('1.1')]);
    expect(await budgetOf(api)).toMatchObject({ spent_cents: cents(billed(stage.simulator.requests())) });
    expect(job.cost_cents).toBe(cents(billed(stage.simulator.requests())));
  });

  it('JSON cut at max_tokens is final and says so; cut prose is kept', async () => {
    const json = await run([{ type: 'truncate' }], { output_type: 'json' });
    expect(json.job).toMatchObject({ status: 'failed', error_code: 'answer_truncated', attempts: 1 });
    expect(json.job.error_message).toContain('max_tokens');
    expect(json.value.value).toBeUndefined();
    expect(await entries()).toEqual([answered('1.1')]);
    const prose = await run([{ type: 'truncate' }]);
    expect(prose.value).toMatchObject({
      state: 'ready',
      value: stage.simulator.requests().at(-1)!.answer!.text,
    });
  });

  it('an answer that cannot be read is repaired once, by a second call of the same attempt', async () => {
    const { job, value } = await run([{ type: 'malformed' }], { output_type: 'json' });
    expect(job).toMatchObject({ status: 'completed', attempts: 1, retry_count: 0 });
    const requests = stage.simulator.requests();
    expect(value.value).toEqual(JSON.parse(requests[1]!.answer!.text));
    expect(await entries()).toEqual([answered('1.1'), answered('1.2')]);
    expect(job.cost_cents).toBe(cents(billed(requests)));
    expect(job.executions.map(({ error_code }: Body) => error_code)).toEqual(['parse_failed', null]);
  });

  it('one that cannot be read after the repair either is final', async () => {
    const { job } = await run([{ type: 'malformed' }, { type: 'malformed' }], { output_type: 'json' });
    expect(job).toMatchObject({ status: 'failed', error_code: 'parse_failed', attempts: 1, retry_count: 0 });
    expect(await entries()).toEqual([answered('1.1'), answered('1.2')]);
    expect(stage.simulator.requests()).toHaveLength(2);
  });

  it('a provider that keeps failing is given up when the retries are used up', async () => {
    const error: ScriptAction = { type: 'error', status: 503 };
    const { job, value } = await run([error, error, error, error]);
    expect(job).toMatchObject({
      status: 'failed',
      error_code: 'provider_server',
      attempts: 3,
      retry_count: 2,
    });
    expect(value).toMatchObject({ state: 'failed', error: { code: 'provider_server' } });
    expect(stage.simulator.requests()).toHaveLength(3);
    const released = (call: string) => ({ entry: 'released', outcome: 'provider_server', call });
    expect(await entries()).toEqual([released('1.1'), released('2.1'), released('3.1')]);
    expect(await budgetOf(api)).toMatchObject({ held_cents: 0, spent_cents: 0, unconfirmed_cents: 0 });
  });
});
