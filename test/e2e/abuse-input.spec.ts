import type { Answer, Api, Body } from '../support/api.js';
import { addPipeline, addRecord, addSettled, ai, configure, generate, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const POLLUTING = ['__proto__', 'constructor', 'prototype'];

describe('hostile input', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let recordId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('list', { field_type: 'json' }),
      ai('facts', { prompt: 'Facts of {name}', output_type: 'json', auto_regenerate: false }),
    ]);
    recordId = (await addRecord(api, pipelineId, { name: 'Ada' })).id;
  });

  afterAll(() => stage.close());

  afterEach(async () => {
    expect((await fetch(`${stage.product.url}/health/ready`)).status).toBe(200);
    expect(stage.product.output()).not.toMatch(/"level":"error"/);
  });

  const invalid = ({ status, body }: Answer): unknown[] => [status, body.code];
  const records = (query: string) => api.call('GET', `/pipelines/${pipelineId}/records?${query}`);

  describe('in a query', () => {
    it.each([
      ['a limit of nothing', 'limit=0'],
      ['a limit without end', 'limit=201'],
      ['a limit below nothing', 'limit=-1'],
      ['a limit that is no number', 'limit=1e2'],
      ['a limit of several', 'limit=1&limit=500'],
      ['a limit that is a list', 'limit[]=1'],
      ['a cursor of nowhere', 'cursor=Li4vLi4vZXRjL3Bhc3N3ZA'],
      ['a filter of a field that is not there', 'filter[password]=x'],
      ['a filter of a filter', 'filter[name][$ne]=x'],
      ['a filter of a prototype', 'filter[__proto__]=x'],
      ['a filter of a constructor', 'filter[constructor]=x'],
      ['a filter of free JSON', 'filter[list]=x'],
      ['a parameter that nobody knows', 'tenant_id=x'],
    ])('of records is refused: %s', async (_, query) => {
      expect(invalid(await records(query))).toEqual([422, 'invalid_input']);
    });

    it('is data, not a statement', async () => {
      for (const text of ["' OR 1=1 --", '{"$ne": null}', '%', '_', "\\' OR '1'='1"]) {
        const { items } = await api.get(
          `/pipelines/${pipelineId}/records?filter[name]=${encodeURIComponent(text)}`,
        );
        expect([text, items]).toEqual([text, []]);
      }
    });

    it.each([
      '/ai-jobs?status=failed&status=completed',
      '/ai-jobs?status[$ne]=failed',
      '/ai-jobs?limit=201',
      '/ai-jobs?limit=1&limit=2',
      '/ai-jobs?tenant_id=x',
      '/ai-jobs?field[a][b][c][d][e][f][g]=x',
      '/ai-analytics/usage?group_by=password_hash',
      '/ai-analytics/usage?group_by=day;DROP%20TABLE%20ai_ledger',
      '/ai-analytics/costs?from=2026-01-01&from=2026-01-02',
      '/audit-log?actor[]=x',
      '/audit-log?limit=100000',
      '/audit-log?from=yesterday',
      '/users?limit=1000',
    ])('is refused: %s', async (path) => {
      expect(invalid(await api.call('GET', path))).toEqual([422, 'invalid_input']);
    });

    it('without end is refused before it is read', async () => {
      const many = Array.from({ length: 2_000 }, (_, n) => `a${n}=1`).join('&');
      const deep = `a${'[b]'.repeat(3_000)}=1`;
      expect(invalid(await api.call('GET', `/ai-jobs?${many}`))).toEqual([422, 'invalid_input']);
      expect(invalid(await api.call('GET', `/ai-jobs?${deep}`))).toEqual([422, 'invalid_input']);
      expect((await records(`filter[name]=${'x'.repeat(20_000)}`)).status).toBe(431);
    });
  });

  describe('that names what is not its own to give', () => {
    const forbidden = {
      id: '00000000-0000-7000-8000-000000000000',
      tenant_id: 'another',
      created_at: '2020-01-01T00:00:00Z',
      version: 99,
      role: 'owner',
      token_version: 9,
      password_hash: 'x',
      spent_cents: 0,
      held_cents: 0,
      spent_nano: 0,
    };

    it.each<[string, string, () => string, () => object]>([
      ['a record', 'POST', () => `/pipelines/${pipelineId}/records`, () => ({ data: { name: 'Eve' } })],
      ['a change', 'PATCH', () => `/records/${recordId}`, () => ({ data: { name: 'Eve' } })],
      ['a pipeline', 'POST', () => '/pipelines', () => ({ name: 'Mine' })],
      ['its change', 'PATCH', () => `/pipelines/${pipelineId}`, () => ({ name: 'Mine' })],
      ['a field', 'POST', () => `/pipelines/${pipelineId}/fields`, () => plain('more')],
      ['its change', 'PATCH', () => `/pipelines/${pipelineId}/fields/name`, () => ({ name: 'Mine' })],
      ['a budget', 'PUT', () => '/budgets/tenant/self', () => ({ limit_cents: 1 })],
      ['the settings', 'PATCH', () => '/ai-settings', () => ({ default_max_tokens: 100 })],
      ['a key', 'PUT', () => '/provider-keys/openai', () => ({ api_key: 'sk-mine' })],
      ['oneself', 'PATCH', () => '/auth/me', () => ({ current_password: 'x', new_password: 'y'.repeat(9) })],
      ['a job', 'POST', () => `/records/${recordId}/ai/facts/generate`, () => ({ force: true })],
      ['feedback', 'POST', () => `/records/${recordId}/ai/facts/feedback`, () => ({ feedback: 'none' })],
    ])('is refused whole: %s (%s)', async (_, method, path, body) => {
      const before = await stateOf();
      const answer = await api.call(method, path(), { ...forbidden, ...body() });
      expect(invalid(answer)).toEqual([422, 'invalid_input']);
      const named = answer.body.errors.map(({ path: at }: { path: string }) => at);
      expect(named).toEqual(expect.arrayContaining(['id', 'tenant_id', 'version', 'spent_cents']));
      expect(await stateOf()).toEqual(before);
    });

    async function stateOf(): Promise<unknown[]> {
      const tables = ['pipelines', 'pipeline_fields', 'records', 'users', 'ai_jobs', 'ai_budget_limits'];
      return Promise.all(
        [...tables, 'ai_settings', 'ai_provider_keys'].map((table) =>
          stage.database.sql(`SELECT * FROM ${table} t ORDER BY t::text`),
        ),
      );
    }
  });

  describe('that reaches for a prototype', () => {
    /** What the text of JSON has, which an object literal would not. */
    const polluted = (key: string) => `{"${key}": {"polluted": true, "role": "owner", "sensitive": false}}`;

    afterEach(async () => {
      // Whatever was polluted would show wherever an object is made.
      expect(JSON.stringify(await api.get(`/records/${recordId}`))).not.toContain('polluted');
      expect((await api.as('viewer')).call).toBeDefined();
    });

    it.each(POLLUTING)('is refused in every body: %s', async (key) => {
      const evil = polluted(key);
      const field = (options: string) =>
        `{"name": "X", "slug": "x", "field_type": "ai_generated", "ai_config": ${options}}`;
      for (const [method, path, body] of [
        ['POST', `/pipelines/${pipelineId}/records`, `{"data": ${evil}}`],
        ['POST', `/pipelines/${pipelineId}/records`, `{"data": {"name": "Eve", "list": [${evil}]}}`],
        ['PATCH', `/records/${recordId}`, `{"data": {"list": {"a": ${evil}}}}`],
        ['PATCH', `/records/${recordId}`, `{"data": {}, "${key}": {"expected_version": 1}}`],
        ['POST', `/pipelines/${pipelineId}/fields`, field(evil)],
        ['POST', `/pipelines/${pipelineId}/fields`, field(`{"prompt": "x", "output_schema": ${evil}}`)],
        ['POST', `/pipelines/${pipelineId}/fields`, field(`{"prompt": "x", "options": ${evil}}`)],
        [
          'POST',
          `/pipelines/${pipelineId}/fields`,
          `{"name": "X", "slug": "x", "field_type": "select", "options": ${evil}}`,
        ],
        ['PATCH', '/ai-settings', evil],
        ['POST', '/ai-fields/preview', `{"pipeline_id": "${pipelineId}", "ai_config": ${evil}}`],
        [
          'POST',
          '/workflow-ai',
          `{"node_config": {"node_id": "n", "prompt": "{{a}}"}, "workflow_context": ${evil}, "execution_id": "e"}`,
        ],
        ['POST', `/pipelines/${pipelineId}/ai/facts/generate`, `{"scope": "all", "filter": ${evil}}`],
      ] as const) {
        const answer = await api.call(method, path, body);
        expect([path, body, ...invalid(answer)]).toEqual([path, body, 422, 'invalid_input']);
      }
    });

    it.each(POLLUTING)('is no column of an import: %s', async (key) => {
      const csv = { 'content-type': 'text/csv' };
      const answer = await api.call('POST', `/pipelines/${pipelineId}/import`, `name,${key}\nEve,1\n`, csv);
      expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, 'header.2']);
    });

    it.each(POLLUTING)('is no field and no name in a prompt: %s', async (key) => {
      const slug = await api.call('POST', `/pipelines/${pipelineId}/fields`, plain(key));
      expect(slug.status).toBe(422);
      for (const prompt of [`{{${key}}}`, `{{name.${key}}}`, `{{#with name}}{{${key}}}{{/with}}`]) {
        const draft = {
          pipeline_id: pipelineId,
          record_id: recordId,
          ai_config: { prompt, model: 'gpt-4o-mini' },
        };
        const answer = await api.call('POST', '/ai-fields/preview', draft);
        expect([prompt, answer.status]).toEqual([prompt, 422]);
      }
    });

    it.each(POLLUTING)('changes nothing in the answer of a provider: %s', async (key) => {
      const text = `{"city": "Ulm", "${key}": {"polluted": true, "state": "ready"}}`;
      stage.simulator.script([{ times: 1, action: { type: 'answer', text } }]);
      const { id } = await addSettled(api, pipelineId, { name: `Ada ${key}` });
      const job = await generate(api, id, 'facts', true);
      expect(job.status).toBe('completed');
      const { data } = await api.get(`/records/${id}`);
      expect(data.facts.city).toBe('Ulm');
      expect(Object.keys(data.facts)).toEqual(key === '__proto__' ? ['city'] : ['city', key]);
      const fresh = await addRecord(api, pipelineId, { name: 'Fresh' });
      expect(JSON.stringify(fresh)).not.toContain('polluted');
    });
  });

  describe('that guesses ids', () => {
    let other: Api;
    let foreign: Record<'pipeline' | 'record' | 'job' | 'user', string>;

    beforeAll(async () => {
      other = await stage.tenant('Other');
      const pipeline = await addPipeline(other, [plain('name'), ai('facts', { prompt: 'Of {name}' })]);
      const record = (await addSettled(other, pipeline, { name: 'Secret' })).id;
      const { items } = await other.get('/ai-jobs');
      foreign = { pipeline, record, job: items[0].id, user: other.userId };
    });

    /** Everything that could tell one answer from another. */
    function shape({ status, headers, body }: Answer, id: string): Body {
      const kept = ['content-type', 'retry-after', 'etag', 'last-modified'];
      const detail = (body.detail as string).replaceAll(id, '<id>');
      return { status, headers: kept.map((name) => headers.get(name)), body: { ...body, detail } };
    }

    it.each<[string, string, keyof typeof foreign, unknown?]>([
      ['GET', '/pipelines/:id', 'pipeline'],
      ['GET', '/pipelines/:id/records', 'pipeline'],
      ['POST', '/pipelines/:id/records', 'pipeline', { data: {} }],
      ['GET', '/pipelines/:id/ai/states', 'pipeline'],
      ['GET', '/records/:id', 'record'],
      ['PATCH', '/records/:id', 'record', { data: { name: 'Mine' } }],
      ['POST', '/records/:id/ai/facts/generate', 'record', {}],
      ['GET', '/records/:id/ai/facts/history', 'record'],
      ['DELETE', '/records/:id', 'record'],
      ['GET', '/ai-jobs/:id', 'job'],
      ['POST', '/ai-jobs/:id/retry', 'job'],
      ['PATCH', '/users/:id', 'user', { role: 'viewer' }],
      ['DELETE', '/users/:id', 'user'],
      ['PUT', '/budgets/user/:id', 'user', { limit_cents: 1 }],
    ])(
      'cannot tell one of another tenant from none, nor from nonsense: %s %s',
      async (method, path, of, body) => {
        const ask = async (id: string) =>
          shape(await api.call(method, path.replace(':id', encodeURIComponent(id)), body), id);
        const unknown = await ask('019a9e9c-3000-7000-8000-0000000009c4');
        expect(unknown).toMatchObject({ status: 404, body: { code: 'not_found' } });
        expect(await ask(foreign[of])).toEqual(unknown);
        for (const id of ['x', '0', '-1', 'null', "' OR 1=1", '../admin', '💥', foreign[of].toUpperCase()])
          expect([id, (await ask(id)).status]).toEqual([id, 404]);
      },
    );

    it('leaves what it guessed at as it was', async () => {
      expect((await other.get(`/records/${foreign.record}`)).data.name).toBe('Secret');
      expect((await other.get('/auth/me')).role).toBe('owner');
    });
  });

  describe('in a template', () => {
    const refused = async (config: Record<string, unknown>): Promise<Answer> =>
      api.call('PATCH', `/pipelines/${pipelineId}/fields/facts`, {
        ai_config: { model: 'gpt-4o-mini', prompt: 'Of {name}', ...config },
      });

    it.each<[string, string]>([
      ['blocks inside blocks', `${'{{#if name}}'.repeat(51)}x${'{{/if}}'.repeat(51)}`],
      ['brackets inside brackets', `{{#if ${'(upper '.repeat(60)}name${')'.repeat(60)}}}x{{/if}}`],
      ['more placeholders than anybody needs', '{name}'.repeat(1_650)],
    ])('is refused in prompt, system message and condition: %s', async (what, bomb) => {
      for (const member of ['prompt', 'system_message', 'condition']) {
        const answer = await refused({ [member]: bomb });
        // A condition is short; what fits into it and breaks no other bound is no bomb.
        const isFine = member !== 'condition' ? bomb.length > 9_000 && what.startsWith('more') : false;
        expect([member, answer.status]).toEqual([member, isFine ? 200 : 422]);
      }
    });

    it('that grows without end ends the job, wherever it stands, before a call', async () => {
      const list = Array.from({ length: 400 }, (_, n) => 'x'.repeat(50) + n);
      const { id } = await addRecord(api, pipelineId, { name: 'Bomb', list });
      const loops = '{{#each list}}{{#each ../list}}{{this}}{{/each}}{{/each}}';
      const size = '{{#each list}}{{json ../list}}{{/each}}';
      stage.simulator.clearRequests();
      for (const [config, code] of [
        [{ prompt: loops }, 'prompt_too_many_iterations'],
        [{ prompt: size }, 'prompt_too_large'],
        [{ prompt: 'x', condition: loops }, 'prompt_too_many_iterations'],
        [{ prompt: 'x', condition: size }, 'prompt_too_large'],
        [{ prompt: 'x', system_message: loops }, 'prompt_too_many_iterations'],
      ] as const) {
        await configure(api, pipelineId, 'facts', { ...config, auto_regenerate: false });
        expect(await generate(api, id, 'facts', true)).toMatchObject({ status: 'failed', error_code: code });
      }
      expect(stage.simulator.requests()).toEqual([]);
    });
  });
});
