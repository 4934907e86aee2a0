import type { ReceivedRequest } from '#libs/llm-simulator';
import { miniCost } from '../../../support/money.js';
import { AI_FIELDS, expandedPrompt, subjectKey } from '../fields.js';
import { checkCalls } from './check-calls.js';
import { checkFresh, checkJobs, checkRight } from './check-jobs.js';
import { checkLedger } from './check-ledger.js';
import type { CallEvidence, Evidence, JobEvidence, ValueEvidence } from './evidence.js';

const IDS = { tenant_id: 't', record_id: 'r', field: 'summary' };
const DATA = { name: 'Ada', summary: 'About Ada.' };
const PROMPT = expandedPrompt('summary', 'r', DATA);
const USAGE = {
  input_tokens: 20,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  cache_write_1h_tokens: 0,
  output_tokens: 5,
  reasoning_tokens: 0,
  web_searches: 0,
  code_runs: 0,
  file_searches: 0,
  images: 0,
};
const COST = miniCost(USAGE).toString();

function request(answer: Partial<ReceivedRequest['answer'] & object> = {}): ReceivedRequest {
  return {
    seq: 1,
    time: '',
    method: 'POST',
    path: '',
    api_key_last_four: null,
    body: { messages: [{ role: 'user', content: PROMPT }] },
    answer: { status: 200, text: 'About Ada.', usage: USAGE, complete: true, ...answer },
    disconnected: false,
  };
}

function evidence(changed: {
  job?: Partial<JobEvidence>;
  value?: Partial<ValueEvidence>;
  calls?: Partial<CallEvidence>[];
  requests?: ReceivedRequest[];
}): Evidence {
  const job = { ...IDS, id: 'j', status: 'completed', outcome: 'generated', error_code: null };
  const value = {
    ...IDS,
    generated: 'About Ada.',
    data: DATA,
    prompt: PROMPT,
    executed: 'About Ada.',
    stored: true,
  };
  const call = {
    ...IDS,
    job_id: 'j',
    attempt: 1,
    n: 1,
    settled_cost: COST,
    hold_nano: '100000',
    worker_lost: false,
  };
  return {
    jobs: [{ ...job, attempt: 1, retry_count: 0, ended: true, ...changed.job }],
    values: [{ ...value, ...changed.value }],
    calls: (changed.calls ?? [{}]).map((more) => ({ ...call, entries: { settled: 1 }, ...more })),
    requests: new Map([[subjectKey('r', 'summary'), changed.requests ?? [request()]]]),
  };
}

const shown = (state: string, roomy: boolean, data: object = DATA) => [
  {
    id: 'r',
    data: data as Record<string, unknown>,
    roomy,
    ai: Object.fromEntries(AI_FIELDS.map((slug) => [slug, { state: slug === 'summary' ? state : 'empty' }])),
  },
];
const aboutSummary = (problems: string[]) => problems.filter((problem) => problem.includes('summary of'));

describe('the checks of a storm', () => {
  it('find nothing where all is right', () => {
    const right = evidence({});
    expect(checkJobs(right, new Set(['t']))).toEqual([]);
    expect(checkRight(right)).toEqual([]);
    expect(checkLedger(right)).toEqual([]);
    expect(aboutSummary(checkFresh(right, shown('ready', true)))).toEqual([]);
  });

  it.each<[string, Partial<JobEvidence>]>([
    ['still open', { status: 'processing', ended: false }],
    ['failed for another reason than money', { status: 'failed', error_code: 'internal_error' }],
    ['refused by a roomy budget', { status: 'failed', error_code: 'budget_exceeded' }],
    ['cancelled by nobody', { status: 'cancelled', error_code: 'cancelled' }],
  ])('find a job that is %s', (_, job) => {
    expect(checkJobs(evidence({ job }), new Set(['t']))).toHaveLength(1);
  });

  it.each<[string, Partial<ValueEvidence>]>([
    ['without an execution', { prompt: null }],
    ['of another execution', { executed: 'About Grace.' }],
    ['that the record does not show', { data: { summary: 'About Grace.' } }],
    ['for another prompt', { prompt: PROMPT.replace('Ada', 'Grace') }],
  ])('find a value %s', (_, value) => expect(checkRight(evidence({ value }))).toHaveLength(1));

  it('find a value that is ready and not fresh, and one that is missing without an excuse', () => {
    const edited = { ...DATA, name: 'Grace' };
    expect(aboutSummary(checkFresh(evidence({}), shown('ready', true, edited)))).toHaveLength(1);
    expect(aboutSummary(checkFresh(evidence({}), shown('stale', true)))).toHaveLength(1);
    expect(aboutSummary(checkFresh(evidence({}), shown('stale', false)))).toHaveLength(1);
    expect(aboutSummary(checkFresh(evidence({}), shown('blocked', true)))).toHaveLength(1);
    expect(aboutSummary(checkFresh(evidence({}), shown('blocked', false)))).toEqual([]);
  });

  it.each<[string, Parameters<typeof evidence>[0]]>([
    ['a call that is not in the ledger', { requests: [request(), request()] }],
    ['a settled entry of another cost', { calls: [{ settled_cost: '1' }] }],
    ['a settled entry that nothing was answered for', { requests: [request({ usage: null, status: 500 })] }],
    ['a release of an answer', { calls: [{ entries: { released: 1 } }] }],
    ['an entry written twice', { calls: [{ entries: { settled: 2 } }] }],
    ['a correction of nothing', { calls: [{ entries: { settled: 1, unconfirmed_released: 1 } }] }],
    ['an unconfirmed entry below its cost', { calls: [{ entries: { unconfirmed: 1 }, hold_nano: '1' }] }],
  ])('find %s', (_, changed) => expect(checkLedger(evidence(changed))).not.toEqual([]));

  it('accept what is marked as unconfirmed, and what was corrected', () => {
    expect(checkLedger(evidence({ calls: [{ entries: { unconfirmed: 1 } }] }))).toEqual([]);
    const entries = { unconfirmed: 1, unconfirmed_released: 1, settled: 1 };
    expect(checkLedger(evidence({ calls: [{ entries }] }))).toEqual([]);
  });

  it('find answers that were paid for twice, and more losses than the faults explain', () => {
    const options = { seed: 1, jobs: 1, slots: 2, latencyMs: 0, redisAwayMs: 0 };
    const killed = [{ name: 'worker 1 killed', costs: 0.5, recoveryMs: 0 }];
    expect(checkCalls({ answered: 4, generated: 2, lost: 2 }, killed, options)).toEqual([]);
    expect(checkCalls({ answered: 5, generated: 2, lost: 2 }, killed, options)).toHaveLength(1);
    expect(checkCalls({ answered: 5, generated: 2, lost: 3 }, killed, options)).toHaveLength(1);
  });
});
