import { request, type Answer, type Api } from '../support/api.js';
import { setStage, type Stage } from '../support/stage.js';

/** Requests at a time; more than a principal may send in a window. */
const AT_ONCE = 200;
const PATIENCE_MS = 60_000;
/** The least there may be, so that a busy machine still sends too many. */
const PER_SECOND = 100;
const PER_ADDRESS = 2;

describe('whoever asks too much', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage({
      THROTTLE_PRINCIPAL_PER_SECOND: String(1.5 * PER_SECOND),
      THROTTLE_TENANT_PER_SECOND: String(2 * PER_SECOND),
      THROTTLE_WINDOW_SECONDS: '1',
    });
  });

  afterAll(() => stage.close());

  /** Asks until one is told to stop. @returns how many were let through in the window, and the answer to the one. */
  async function untilStopped(
    ask: (n: number) => Promise<Answer>,
    atOnce = AT_ONCE,
  ): Promise<{ through: number; stopped: Answer }> {
    const late = Date.now() + PATIENCE_MS;
    for (let through = 0; Date.now() < late;) {
      const answers = await Promise.all(Array.from({ length: atOnce }, (_, n) => ask(n)));
      through += answers.filter(({ status }) => status !== 429).length;
      const stopped = answers.find(({ status }) => status === 429);
      if (stopped) return { through, stopped };
    }
    throw new Error('Nobody was ever stopped.');
  }

  function expectStop({ status, headers, body }: Answer, who: string): void {
    expect(status).toBe(429);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(headers.get('retry-after')).toBe('1');
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Too many requests',
      status: 429,
      code: 'too_many_requests',
      detail: `${who}: send fewer, and the next one in 1 seconds.`,
      errors: [],
    });
  }

  const me = (api: Api) => () => api.call('GET', '/auth/me');

  it('is stopped as a principal, alone and for a while, and not below 100 requests a second', async () => {
    const owner = await stage.tenant();
    const viewer = await owner.as('viewer');
    const { through, stopped } = await untilStopped(me(viewer));
    expectStop(stopped, 'You send too many requests');
    expect(through).toBeGreaterThanOrEqual(PER_SECOND);
    expect((await owner.call('GET', '/auth/me')).status).toBe(200);
    await owner.until('the viewer is let through again', async () => (await me(viewer)()).status === 200);
  });

  it('is stopped as a tenant, but for those who ask little, and other tenants are not', async () => {
    const owner = await stage.tenant();
    const other = await stage.tenant();
    const [admin, viewer] = [await owner.as('admin'), await owner.as('viewer')];
    const busy = [owner, viewer];
    const { through, stopped } = await untilStopped((n) => me(busy[n % busy.length]!)());
    const beside = await admin.call('GET', '/auth/me');
    expectStop(stopped, 'Your tenant sends too many requests');
    expect(through).toBeGreaterThan(1.5 * PER_SECOND);
    expect([beside.status, (await other.call('GET', '/auth/me')).status]).toEqual([200, 200]);
  });

  it('is stopped as an address where nobody is signed in, and health answers on', async () => {
    await stage.restart('stop', {
      THROTTLE_ADDRESS_PER_SECOND: String(PER_ADDRESS),
      THROTTLE_WINDOW_SECONDS: '60',
    });
    const { url } = stage.product;
    const owner = await stage.tenant();
    const token = { authorization: 'Bearer made.up.token' };
    const { through, stopped } = await untilStopped(() =>
      request(url, 'GET', '/pipelines', undefined, token),
    );
    expect(stopped.body).toMatchObject({
      code: 'too_many_requests',
      detail: expect.stringMatching(/^Too many requests come from your address: .* in \d\d seconds\.$/),
    });
    expect(through).toBe(PER_ADDRESS * 60 - 1);
    const login = { email: 'ada@example.com', password: 'wrong horse' };
    expect((await request(url, 'POST', '/auth/login', login)).status).toBe(429);
    expect((await owner.call('GET', '/auth/me')).status).toBe(200);
    for (const path of ['/health/live', '/health/ready', '/metrics'])
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
  });
});
