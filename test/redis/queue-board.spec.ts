import { setting } from '../support/database.js';
import { Leads } from '../support/leads.js';
import { setStage, type Stage } from '../support/stage.js';

const TOKEN = 'operators-own-secret';
const PREFIX = '{queue-board}';

describe('the queue board', () => {
  let stage: Stage;

  const get = (path = '', headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> =>
    fetch(`${stage.product.url}/admin/queues${path}`, { ...init, headers });
  const bearer = { authorization: `Bearer ${TOKEN}` };
  const basic = { authorization: `Basic ${Buffer.from(`ops:${TOKEN}`).toString('base64')}` };

  beforeAll(async () => {
    const redis = { REDIS_URL: setting('TEST_REDIS_URL'), REDIS_PREFIX: PREFIX };
    stage = await setStage({ ...redis, OPERATOR_TOKEN: TOKEN });
  });

  afterAll(() => stage.close());

  it('opens for operators, with every asset of its page allowed by the page’s own policy', async () => {
    const page = await get('', basic);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    const html = await page.text();
    const own = [...html.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, path]) => path!);
    expect(own.length).toBeGreaterThan(3);
    for (const path of own) expect([path, (await get(`/${path}`, bearer)).status]).toEqual([path, 200]);
    // A script within the page would be blocked; the one there is holds data.
    expect([...html.matchAll(/<script(?![^>]*src=)[^>]*>/g)].map(([tag]) => tag)).toEqual([
      expect.stringContaining('type="application/json"'),
    ]);
  });

  it('shows both queues, and changes neither', async () => {
    const { queues } = (await (await get('/api/queues', bearer)).json()) as { queues: object[] };
    expect(queues).toMatchObject([
      { name: 'interactive', readOnlyMode: true, isPaused: false },
      { name: 'backfill', readOnlyMode: true, isPaused: false },
    ]);
    for (const path of [
      'interactive/pause',
      'interactive/empty',
      'interactive/clean/failed',
      'interactive/add',
    ]) {
      const { status } = await get(`/api/queues/${path}`, bearer, { method: 'PUT' });
      expect([path, status >= 400]).toEqual([path, true]);
    }
    await get('/api/queues/pause', bearer, { method: 'PUT' });
    const leads = await Leads.of(await stage.tenant());
    expect((await leads.addDone('Ada')).status).toBe('completed');
  });

  it.each(['', '/', '/api/queues', '/static/../api/queues', '/queue/interactive'])(
    'asks anybody else at %s for the secret',
    async (path) => {
      const api = await stage.tenant();
      const others: Record<string, string>[] = [{}, { authorization: `Bearer ${api.token}` }];
      for (const headers of others) {
        const answer = await get(path, headers);
        expect(answer.status).toBe(401);
        expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /);
        expect(await answer.json()).toMatchObject({ code: 'operator_only' });
      }
    },
  );

  it('is not there without a secret, or without Redis', async () => {
    await stage.restart('stop', { OPERATOR_TOKEN: '' });
    expect((await get('', bearer)).status).toBe(404);
    await stage.restart('stop', { REDIS_URL: '' });
    expect((await get('', bearer)).status).toBe(404);
    expect((await get('/api/queues', bearer)).status).toBe(404);
  });

  it('refuses guessing', async () => {
    await stage.restart('stop');
    const wrong = { authorization: 'Bearer guessed' };
    for (let n = 0; n < 10; n++) expect((await get('', wrong)).status).toBe(401);
    const refused = await get('', bearer);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
