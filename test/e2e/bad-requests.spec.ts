import { gzipSync } from 'node:zlib';
import type { Answer, Api } from '../support/api.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const MILLION = 1_000_000;

describe('a request that cannot be', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('notes', { field_type: 'textarea' }),
      plain('list', { field_type: 'json' }),
      ai('looped', {
        prompt: '{{#each list}}{{#each ../list}}{{this}}{{/each}}{{/each}}',
        auto_regenerate: false,
      }),
      ai('summary', { prompt: 'Summarise {notes}', auto_regenerate: false }),
    ]);
  });

  afterEach(async () => {
    expect((await fetch(`${stage.product.url}/health/ready`)).status).toBe(200);
  });

  afterAll(() => stage.close());

  async function records(): Promise<number> {
    const rows = await stage.database.sql('SELECT FROM records WHERE tenant_id = $1', [api.tenantId]);
    return rows.length;
  }

  it.each([
    ['is no JSON', '{"data": {"name": "Ada"', 400, 'malformed_json'],
    ['is no object', '"Ada"', 422, 'invalid_input'],
    ['is a list', '[{"data": {}}]', 422, 'invalid_input'],
    [
      'is over the limit',
      JSON.stringify({ data: { notes: 'x'.repeat(2.1 * MILLION) } }),
      413,
      'body_too_large',
    ],
    ['has a member nobody knows', '{"data": {}, "tenant_id": "x"}', 422, 'invalid_input'],
    ['reaches for a prototype', '{"data": {"__proto__": {"admin": true}}}', 422, 'invalid_input'],
    [
      'is nested without end',
      `{"data": {"list": ${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
      422,
      'invalid_input',
    ],
    ['holds what no text can', '{"data": {"name": "a\\u0000b"}}', 422, 'invalid_input'],
    [
      'is too long for its field',
      JSON.stringify({ data: { name: 'x'.repeat(MILLION) } }),
      422,
      'invalid_input',
    ],
  ])('is answered as a problem where the body %s', async (_, body, status, code) => {
    const before = await records();
    const answer = await api.call('POST', `/pipelines/${pipelineId}/records`, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ type: 'about:blank', status, title: expect.any(String) });
    expect(answer.body.detail.length).toBeGreaterThan(20);
    if (status === 422) expect(answer.body.errors[0].message.length).toBeGreaterThan(10);
    expect(await records()).toBe(before);
  });

  const ADA = '{"data": {"name": "Ada"}}';

  function send(body: string | Uint8Array, headers: Record<string, string>): Promise<Answer> {
    return api.call('POST', `/pipelines/${pipelineId}/records`, body, headers);
  }

  it.each<[string, string | Uint8Array, Record<string, string>, number, string, RegExp]>([
    ['is no gzip', ADA, { 'content-encoding': 'gzip' }, 400, 'malformed_request', /Content-Encoding/],
    [
      'is cut',
      gzipSync(ADA).subarray(0, 20),
      { 'content-encoding': 'gzip' },
      400,
      'malformed_request',
      /send it whole/,
    ],
    ['is no br', 'x'.repeat(50), { 'content-encoding': 'br' }, 400, 'malformed_request', /Content-Encoding/],
    [
      'grows beyond the limit',
      gzipSync(Buffer.alloc(3 * MILLION, ' ')),
      { 'content-encoding': 'gzip' },
      413,
      'body_too_large',
      /at most 2 MB/,
    ],
    [
      'has an encoding that nobody knows',
      ADA,
      { 'content-encoding': 'lzma' },
      415,
      'unsupported_media_type',
      /or as gzip/,
    ],
    [
      'has a charset that nobody knows',
      ADA,
      { 'content-type': 'application/json; charset=latin1' },
      415,
      'unsupported_media_type',
      /UTF-8/,
    ],
    ['is text', ADA, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type', /application\/json/],
    [
      'is a form',
      'name=Ada',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported_media_type',
      /application\/json/,
    ],
    [
      'is of a type that is none',
      ADA,
      { 'content-type': 'json' },
      415,
      'unsupported_media_type',
      /Content-Type/,
    ],
  ])('is answered with what to do where the body %s', async (_, body, headers, status, code, remedy) => {
    const before = await records();
    const answer = await send(body, headers);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body.detail).toMatch(remedy);
    expect(await records()).toBe(before);
    expect(stage.product.output()).not.toMatch(/"level":"error"/);
  });

  it('is none where the body is packed, or where a text is sent that nobody reads', async () => {
    const packed = await send(gzipSync(ADA), { 'content-encoding': 'gzip' });
    expect([packed.status, packed.body.data]).toEqual([201, { name: 'Ada' }]);
    const stopped = await api.call('POST', `/records/${packed.body.id}/ai/summary/stop`, 'please', {
      'content-type': 'text/plain',
    });
    expect([stopped.status, stopped.body]).toEqual([200, { stopped: 0 }]);
  });

  it.each([
    ['GET', '/nowhere', 404],
    ['GET', '/records/not-an-id', 404],
    ['GET', "/records/'; DROP TABLE records; --", 404],
    ['GET', '/records/%00', 400],
    ['GET', '/records/%E0%A4%A', 400],
    ['GET', '/ai-jobs/%00', 400],
    ['GET', '/ai-runs/x', 404],
    ['GET', '/ai-jobs?status=finished', 422],
    ['GET', '/ai-jobs?run_id=x', 422],
    ['GET', '/ai-jobs?cursor=x', 422],
    ['GET', '/ai-analytics/usage?from=2026-02-01&to=2026-01-01', 422],
    ['PUT', '/budgets/galaxy/self', 422],
  ])('is answered as a problem: %s %s', async (method, path, status) => {
    const answer = await api.call(method, path, method === 'PUT' ? { limit_cents: 1 } : undefined);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ status, code: expect.any(String), errors: expect.any(Array) });
    expect(await stage.database.sql('SELECT to_regclass($1) AS there', ['records'])).toEqual([
      { there: 'records' },
    ]);
  });

  it('is none where a value has a million characters: it is kept, and only its prompt is too large', async () => {
    const notes = 'x'.repeat(MILLION);
    const record = await addRecord(api, pipelineId, { name: 'Large', notes });
    expect((await api.get(`/records/${record.id}`)).data.notes).toHaveLength(MILLION);
    const { job_id } = await api.post(`/records/${record.id}/ai/summary/generate`);
    const job = await api.job(job_id);
    expect(job).toMatchObject({ status: 'failed', error_code: 'prompt_too_large', executions: [] });
    expect(job.error_message).toContain('larger than 1,000,000 characters');
    const longer = await api.call('PATCH', `/records/${record.id}`, { data: { notes: `${notes}x` } });
    expect([longer.status, longer.body.errors]).toEqual([
      422,
      [{ path: 'data.notes', message: 'Too long: at most 1,000,000 characters.' }],
    ]);
  });

  it('is none where a template explodes: the job fails with what to do, and no call is made', async () => {
    stage.simulator.clearRequests();
    const list = Array.from({ length: 500 }, (_, n) => n);
    const record = await addRecord(api, pipelineId, { name: 'Looped', list });
    const { job_id } = await api.post(`/records/${record.id}/ai/looped/generate`);
    const job = await api.job(job_id);
    expect(job).toMatchObject({
      status: 'failed',
      error_code: 'prompt_too_many_iterations',
      error_message: 'The loops of the prompt run more than 10,000 times in all: loop over shorter lists.',
      retry_count: 0,
    });
    const draft = {
      pipeline_id: pipelineId,
      record_id: record.id,
      ai_config: {
        prompt: '{{#each list}}{{#each ../list}}{{this}}{{/each}}{{/each}}',
        model: 'gpt-4o-mini',
      },
    };
    const preview = await api.call('POST', '/ai-fields/preview', draft);
    expect([preview.status, preview.body.code]).toEqual([422, 'prompt_too_many_iterations']);
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('tells nothing of the inside, and leaves no error in the log', async () => {
    const answers = await Promise.all([
      api.call('GET', '/records/%00'),
      api.call('POST', `/pipelines/${pipelineId}/records`, '{'),
      api.call('GET', '/nowhere'),
    ]);
    expect(JSON.stringify(answers)).not.toMatch(/node_modules|\.js:\d|SELECT |at .*\(/);
    expect(stage.product.output()).not.toMatch(/"level":"error"/);
  });
});
