import type { Answer, Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { budgetOf } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

describe('what a budget can be for', () => {
  let stage: Stage;
  let api: Api;
  let other: Api;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    other = await stage.tenant();
  });

  afterAll(() => stage.close());

  const put = (path: string): Promise<Answer> => api.call('PUT', `/budgets/${path}`, { limit_cents: 5 });
  const remove = (path: string, by = api): Promise<Answer> => by.call('DELETE', `/budgets/${path}`);
  const limits = () =>
    stage.database.sql(
      'SELECT scope, scope_id FROM ai_budget_limits WHERE tenant_id = ANY ($1) ORDER BY 1, 2',
      [[api.tenantId, other.tenantId]],
    );

  function expectProblem(
    { status, headers, body }: Answer,
    expected: { status: number; code: string },
  ): void {
    expect({ status, code: body.code }).toEqual(expected);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject({
      status: expected.status,
      type: expect.any(String),
      title: expect.any(String),
    });
  }

  it('is not automation, which has none of its own: the answer says what to limit instead', async () => {
    const answer = await put('user/service');
    expectProblem(answer, { status: 422, code: 'invalid_input' });
    expect(answer.body.errors).toEqual([
      { path: 'scope_id', message: 'automation has no budget of its own: limit the tenant or the field' },
    ]);
    expectProblem(await remove('user/service'), { status: 422, code: 'invalid_input' });
    expect(await limits()).toEqual([]);
  });

  it("is not another tenant's user, nor anybody who is not there", async () => {
    const theirs = await put(`user/${other.userId}`);
    expectProblem(theirs, { status: 404, code: 'not_found' });
    const missing = await put('user/01890000-0000-7000-8000-000000000000');
    // The two look alike: nobody learns whom another tenant has.
    expect(theirs.body.detail.replace(other.userId, '')).toBe(
      missing.body.detail.replace('01890000-0000-7000-8000-000000000000', ''),
    );
    expect(await limits()).toEqual([]);
  });

  it.each([
    ['nobody', 'user/nobody'],
    ['SQL', "user/'%20OR%20true--"],
    ['NUL', 'user/%00'],
    ['an emoji', 'user/%F0%9F%98%80'],
    ['a long id', `user/${'x'.repeat(150)}`],
    ['a very long id', `user/${'x'.repeat(5_000)}`],
    ['the service in capitals', 'user/SERVICE'],
    ['another path', 'user/%2E%2E%2Fself'],
    ['NUL as a pipeline', 'field/%00:summary'],
    ['an unknown pipeline', 'field/nowhere:summary'],
    ['self with a space', 'tenant/self%20'],
  ])('is never an id that is none: %s', async (_, path) => {
    for (const answer of [await put(path), await remove(path)]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
    expect(await limits()).toEqual([]);
  });

  it('is a limit that can be taken away once: 404 where there is none', async () => {
    const leads = await Leads.of(api);
    const field = `field/${leads.budgetId}`;
    for (const path of ['tenant/self', field, `user/${api.userId}`]) {
      expectProblem(await remove(path), { status: 404, code: 'not_found' });
      expect((await put(path)).status).toBe(200);
      expectProblem(await remove(path, other), { status: 404, code: 'not_found' });
      const [scope, id] = path.split('/') as [string, string];
      expect(await budgetOf(api, scope, id)).toMatchObject({ limit_cents: 5 });
      expect((await remove(path)).status).toBe(204);
      expectProblem(await remove(path), { status: 404, code: 'not_found' });
    }
    expect(await limits()).toEqual([]);
  });
});
