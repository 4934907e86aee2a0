import type { Answer, Api } from '../support/api.js';
import { addPipeline, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const CENTS = /from 0 to 100000000000 with at most seven decimal places\.?$/;
const TIMED = ['/ai-jobs', '/audit-log', '/ai-analytics/usage', '/ai-analytics/costs'];

describe('a number or time that cannot be', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Of {name}', auto_regenerate: false }),
    ]);
  });

  afterAll(() => stage.close());

  function expectRefused({ status, body }: Answer, path: string, message: RegExp): void {
    expect([status, body.errors]).toEqual([422, [{ path, message: expect.stringMatching(message) }]]);
  }

  function limitField(cents: number | null): Promise<Answer> {
    const ai_config = {
      model: 'gpt-4o-mini',
      prompt: 'Of {name}',
      auto_regenerate: false,
      budget_limit_cents: cents,
    };
    return api.call('PATCH', `/pipelines/${pipelineId}/fields/summary`, { ai_config });
  }

  const limitTenant = (limit_cents: number) => api.call('PUT', '/budgets/tenant/self', { limit_cents });
  const limitMonth = (monthly_budget_cents: number | null) =>
    api.call('PATCH', '/ai-settings', { monthly_budget_cents });

  it.each([33.333333333333336, 1e-8, 1e-20, -1, 100_000_000_001])(
    'is refused with its path where a limit is %p cents',
    async (cents) => {
      expectRefused(await limitField(cents), 'ai_config.budget_limit_cents', CENTS);
      expectRefused(await limitTenant(cents), 'limit_cents', CENTS);
      expectRefused(await limitMonth(cents), 'monthly_budget_cents', CENTS);
    },
  );

  it.each([0, 1e-7, 33.3333333, 100_000_000_000])('is none where a limit is %p cents', async (cents) => {
    expect((await limitField(cents)).body.ai_config.budget_limit_cents).toBe(cents);
    expect((await limitTenant(cents)).status).toBe(200);
    expect((await limitMonth(cents)).body.monthly_budget_cents).toBe(cents);
    expect((await limitMonth(null)).body.monthly_budget_cents).toBeNull();
  });

  it.each([
    '2026-01-01T10',
    '2026-02-30',
    '2026-06-30T23:59:60Z',
    '0000-01-01',
    '9999-12-31T23:59:59.999999999Z',
    '9999-12-31T23:59:59-01:00',
    '2026-01-01T10:00:00 02:00',
  ])('is refused with its path where a time is %s', async (time) => {
    for (const path of TIMED) {
      for (const end of ['from', 'to']) {
        const answer = await api.call('GET', `${path}?${end}=${encodeURIComponent(time)}`);
        expectRefused(answer, end, /^must be a day such as/);
      }
    }
  });

  it.each([
    'from=2026-01-01T10:00:00%2B23:00&to=2026-01-03',
    'from=2026-01-01T10:00:00-2300&to=2026-01-03',
    'from=2026-01-01T10:00&to=2026-01-01T10:01',
    'to=9999-12-30T23:59:59.999999999Z',
    'to=9999-12-31',
    'from=1000-01-01&to=1001-01-01',
  ])('is none where the time is unusual: %s', async (query) => {
    for (const path of TIMED) {
      const { status, body } = await api.call('GET', `${path}?${query}`);
      expect([path, status, body.errors]).toEqual([path, 200, undefined]);
    }
  });

  it('is none where the zone is written out: the moment counts', async () => {
    const [entry] = (await api.get('/audit-log?subject=Pipeline')).items;
    const at = Date.parse(entry.at);
    const shown = (moment: number) =>
      `${new Date(moment + 23 * 3_600_000).toISOString().slice(0, -1)}%2B23:00`;
    const { items } = await api.get(`/audit-log?subject=Pipeline&from=${shown(at)}&to=${shown(at + 1)}`);
    expect(items.map(({ id }: { id: string }) => id)).toContain(entry.id);
  });

  it('is none where null stands for what is not given', async () => {
    const added = await api.post('/pipelines', { name: 'Plain', slug: null, fields: null });
    expect(added.fields).toEqual([]);
    const draft = { pipeline_id: pipelineId, ai_config: { prompt: 'Of {name}', model: 'gpt-4o-mini' } };
    for (const path of ['/ai-fields/preview', '/ai-fields/try']) {
      const { status } = await api.call('POST', path, { ...draft, record_id: null, field: null });
      expect([path, status]).toEqual([path, 200]);
    }
  });

  it('leaves no error in the log', () => {
    expect(stage.product.output()).not.toMatch(/"level":"error"/);
  });
});
