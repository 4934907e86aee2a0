import type { Answer, Api } from '../support/api.js';
import { plain } from '../support/pipelines.js';
import type { Stage } from '../support/stage.js';
import { expectUnharmed, setTarget } from '../support/target.js';

describe('hostile input', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let recordId: string;

  beforeAll(async () => {
    ({ stage, api, pipelineId, recordId } = await setTarget());
  });

  afterAll(() => stage.close());

  afterEach(() => expectUnharmed(stage));

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
});
