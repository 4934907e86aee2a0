import type { Api } from '../support/api.js';
import { logLines, type LogLine } from '../support/log-lines.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

/** What is planted, and must not be found in anything that the process writes. */
const CANARY = {
  globalKey: 'sk-canaryglobalkey0001',
  tenantKey: 'sk-canarytenantkey0002',
  value: 'canary-value-of-a-record',
  prompt: 'canary-text-of-a-prompt',
  answer: 'canary-text-of-an-answer',
  password: 'correct horse',
};

describe('the log', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage({
      LOG_LEVEL: 'debug',
      OPENAI_API_KEY: CANARY.globalKey,
      AI_RETRY_BASE_MS: '1',
      AI_MAX_RETRIES: '1',
    });
    api = await stage.tenant();
    const summary = ai('summary', { prompt: `${CANARY.prompt} {name}` });
    const size = ai('size', { prompt: `${CANARY.prompt} how many? {name}`, output_type: 'number' });
    pipelineId = await addPipeline(api, [plain('name'), summary, size]);
  });

  afterAll(() => stage.close());

  beforeEach(() => stage.simulator.clearScript());

  const lines = () => logLines(stage.product.output());
  const linesOf = (jobId: string) => lines().filter(({ job_id: id }) => id === jobId);

  /** Waits until a line that fits has been written: a job's line follows its commit. */
  function line(fits: (line: LogLine) => boolean): Promise<LogLine> {
    return api.until('the line is written', () => Promise.resolve(lines().find(fits)));
  }

  function expectNothingSecret(): void {
    const output = stage.product.output();
    expect(output.length).toBeGreaterThan(0);
    for (const [name, text] of Object.entries(CANARY))
      expect([name, output.includes(text)]).toEqual([name, false]);
    expect(output).not.toContain(api.token);
  }

  let leads = 0;
  /** Adds a record like no other and waits for the ends of its jobs. @returns their ids. */
  async function addLead(): Promise<string[]> {
    const name = `${CANARY.value} ${(leads += 1)}`;
    const record = await addSettled(api, pipelineId, { name });
    const { items } = await api.get(`/ai-jobs?record_id=${record.id}`);
    return items.map(({ id }: { id: string }) => id);
  }

  it('is JSON, and tells of every job who, what, how it ended and how long the answer is', async () => {
    stage.simulator.script([
      { match: { prompt_includes: 'how many' }, action: { type: 'answer', text: '42' } },
      { action: { type: 'answer', text: CANARY.answer } },
    ]);
    await addLead();
    const ended = await line(({ message, field }) => message === 'job completed' && field === 'summary');
    expect(ended).toMatchObject({
      level: 'info',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      context: 'Job',
      tenant_id: api.tenantId,
      user_id: api.userId,
      job_type: 'field_generation',
      outcome: 'generated',
      model: 'gpt-4o-mini',
      provider: 'openai',
      response_length: CANARY.answer.length,
      duration_ms: expect.any(Number),
    });
    expect(ended['job_id']).toMatch(/^[0-9a-f-]{36}$/);
    const forPeople = stage.product
      .output()
      .split('\n')
      .filter((text) => text && !text.startsWith('{'));
    expect(forPeople).toEqual([expect.stringMatching(/^Fieldsmith runs at /)]);
    expectNothingSecret();
  });

  it('tells of requests by their ids, without query, headers and body', async () => {
    const given = 'request-of-the-test-1';
    const answer = await api.call('GET', `/ai-jobs?field=${CANARY.value}`, undefined, {
      'x-request-id': given,
    });
    expect(answer.headers.get('x-request-id')).toBe(given);
    expect(await line(({ request_id: id }) => id === given)).toEqual({
      level: 'info',
      timestamp: expect.any(String),
      pid: stage.product.process.pid,
      hostname: expect.any(String),
      context: 'Request',
      message: 'request answered',
      request_id: given,
      method: 'GET',
      path: '/api/v1/ai-jobs',
      status: 200,
      duration_ms: expect.any(Number),
      tenant_id: api.tenantId,
      user_id: api.userId,
    });
    const unusable = await api.call('GET', '/auth/me', undefined, {
      'x-request-id': 'spaces are not usable',
    });
    expect(unusable.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expectNothingSecret();
  });

  it('keeps still about what the caller got wrong', async () => {
    const record = await addRecord(api, pipelineId, { name: 'Ada' });
    const wrong = await Promise.all([
      api.call('PATCH', `/records/${record.id}`, { data: { name: [CANARY.value] } }),
      api.call('POST', `/pipelines/${pipelineId}/records`, `{"data": {"name": "${CANARY.value}`),
      api.call('POST', '/auth/login', { email: 'a@example.com', password: CANARY.password }),
      api.call('PUT', '/provider-keys/openai', {
        api_key: CANARY.tenantKey,
        base_url: 'https://evil.example.org',
      }),
      api.call('GET', '/auth/me', undefined, { authorization: `Bearer ${CANARY.tenantKey}` }),
    ]);
    expect(wrong.map(({ status }) => status)).toEqual([422, 400, 401, 422, 401]);
    await api.settled(record.id);
    await line(({ path, status }) => path === '/api/v1/provider-keys/openai' && status === 422);
    expectNothingSecret();
  });

  it.each([
    [
      'fails',
      { type: 'error', status: 500, message: `${CANARY.prompt} ${CANARY.value} ${CANARY.globalKey}` },
    ],
    ['refuses the key', { type: 'error', status: 401, message: `Incorrect key ${CANARY.globalKey}` }],
    ['answers what is no number', { type: 'answer', text: CANARY.answer }],
    ['answers with broken JSON', { type: 'garbage' }],
  ] as const)('names the error and no content where the provider %s', async (_, action) => {
    stage.simulator.script([{ match: { prompt_includes: 'how many' }, action }]);
    const ids = await addLead();
    const failed = await line(
      ({ message, job_id: id }) => message === 'job failed' && ids.includes(id as string),
    );
    expect(failed).toMatchObject({ level: 'warn', tenant_id: api.tenantId, field: 'size', status: 'failed' });
    expect(failed['error_code']).toEqual(expect.any(String));
    expectNothingSecret();
  });

  it('tells an unforeseen error of a request with its stack, and none of the values in it', async () => {
    await stage.database.sql(
      `ALTER TABLE records ADD CONSTRAINT canary CHECK ((data->>'name')::int IS NULL) NOT VALID`,
    );
    const failed = await api.call('POST', `/pipelines/${pipelineId}/records`, {
      data: { name: CANARY.value },
    });
    expect([failed.status, failed.body.code]).toEqual([500, 'internal_error']);
    await stage.database.sql('ALTER TABLE records DROP CONSTRAINT canary');
    const id = failed.headers.get('x-request-id');
    const told = await line(({ level, request_id: of }) => level === 'error' && of === id);
    expect(told).toMatchObject({
      message: 'request failed',
      tenant_id: api.tenantId,
      err: {
        code: '22P02',
        message: 'invalid input syntax for type integer: "…"',
        stack: expect.any(String),
      },
    });
    expectNothingSecret();
  });

  it('tells an unforeseen error of a job with its ids, and none of the values in it', async () => {
    stage.simulator.script([{ action: { type: 'answer', text: CANARY.answer } }]);
    await stage.database.sql(
      'ALTER TABLE ai_values ADD CONSTRAINT canary CHECK (generated::text::int IS NULL) NOT VALID',
    );
    const record = await addRecord(api, pipelineId, { name: `${CANARY.value} unforeseen` });
    const { triggered_jobs: triggered } = record.ai_processing;
    const { job_id: jobId } = triggered.find(({ field }: { field: string }) => field === 'summary');
    await api.job(jobId);
    await stage.database.sql('ALTER TABLE ai_values DROP CONSTRAINT canary');
    await line(({ message, job_id: id }) => message === 'job failed' && id === jobId);
    for (const told of linesOf(jobId)) expect(told['tenant_id']).toBe(api.tenantId);
    expect(linesOf(jobId).map(({ message }) => message)).toEqual(['job is tried again', 'job failed']);
    expectNothingSecret();
  });
});
