import type { Answer, Api, Body } from '../support/api.js';
import { addPipeline, addSettled, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('whoever guesses ids', () => {
  let stage: Stage;
  let api: Api;
  let other: Api;
  let foreign: Record<'pipeline' | 'record' | 'job' | 'user', string>;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    other = await stage.tenant('Other');
    const pipeline = await addPipeline(other, [plain('name'), ai('facts', { prompt: 'Of {name}' })]);
    const record = (await addSettled(other, pipeline, { name: 'Secret' })).id;
    const { items } = await other.get('/ai-jobs');
    foreign = { pipeline, record, job: items[0].id, user: other.userId };
  });

  afterAll(() => stage.close());

  /** Everything that could tell one answer from another. */
  function shape({ status, headers, body }: Answer, id: string): Body {
    const kept = ['content-type', 'retry-after', 'last-modified'];
    const detail = (body.detail as string).replaceAll(id, '<id>');
    return { status, headers: kept.map((name) => headers.get(name)), body: { ...body, detail } };
  }

  it.each<[string, string, keyof typeof foreign, unknown]>([
    ['GET', '/pipelines/:id', 'pipeline', undefined],
    ['GET', '/pipelines/:id/records', 'pipeline', undefined],
    ['POST', '/pipelines/:id/records', 'pipeline', { data: {} }],
    ['GET', '/pipelines/:id/ai/states', 'pipeline', undefined],
    ['GET', '/records/:id', 'record', undefined],
    ['PATCH', '/records/:id', 'record', { data: { name: 'Mine' } }],
    ['POST', '/records/:id/ai/facts/generate', 'record', {}],
    ['GET', '/records/:id/ai/facts/history', 'record', undefined],
    ['DELETE', '/records/:id', 'record', undefined],
    ['GET', '/ai-jobs/:id', 'job', undefined],
    ['POST', '/ai-jobs/:id/retry', 'job', undefined],
    ['PATCH', '/users/:id', 'user', { role: 'viewer' }],
    ['DELETE', '/users/:id', 'user', undefined],
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
