import { request, type Answer, type Api } from '../support/api.js';
import { setStage, type Stage } from '../support/stage.js';

/** Requests at a time. A product that answers more slowly than it throttles could not be abused this way. */
const AT_ONCE = 50;
const PATIENCE_MS = 60_000;
const WINDOW_SECONDS = 10;
const PER_PRINCIPAL = 100;
const PER_TENANT = 150;
const PER_ADDRESS = 2;

describe('whoever asks too much', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage({
      THROTTLE_PRINCIPAL_PER_SECOND: String(PER_PRINCIPAL),
      THROTTLE_TENANT_PER_SECOND: String(PER_TENANT),
      THROTTLE_WINDOW_SECONDS: String(WINDOW_SECONDS),
    });
  });

  afterAll(() => stage.close());

  /** Asks until one is told to stop. @returns how many were let through in the window, and the answer to the one. */
  async function untilStopped(
    ask: (n: number) => Promise<Answer>,
  ): Promise<{ through: number; stopped: Answer }> {
    const late = Date.now() + PATIENCE_MS;
    for (let through = 0; Date.now() < late;) {
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => ask(n)));
      through += answers.filter(({ status }) => status !== 429).length;
      const stopped = answers.find(({ status }) => status === 429);
      if (stopped) return { through, stopped };
    }
    throw new Error('Nobody was ever stopped.');
  }

  function expectStop({ status, headers, body }: Answer): void {
    expect(status).toBe(429);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const seconds = Number(headers.get('retry-after'));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(WINDOW_SECONDS);
    expect(body).toMatchObject({
      status: 429,
      code: 'too_many_requests',
      title: 'Too many requests',
      detail: `Too many requests: send fewer, and the next one in ${seconds} seconds.`,
      errors: [],
    });
  }

  const me = (api: Api) => () => api.call('GET', '/auth/me');

  it('is stopped as a principal, alone and for a while, and not below 100 requests a second', async () => {
    const owner = await stage.tenant();
    const viewer = await owner.as('viewer');
    const { through, stopped } = await untilStopped(me(viewer));
    expectStop(stopped);
    expect(through).toBeGreaterThanOrEqual(PER_PRINCIPAL * WINDOW_SECONDS);
    const refused = await viewer.call('PATCH', '/auth/me', {});
    expect([refused.status, (await owner.call('GET', '/auth/me')).status]).toEqual([429, 200]);
    expect((await (await stage.tenant()).call('GET', '/auth/me')).status).toBe(200);
    await owner.until('the viewer is let through again', async () => (await me(viewer)()).status === 200);
  });

  it('is stopped as a tenant, whoever of it asks, and other tenants are not', async () => {
    const owner = await stage.tenant();
    const people = [owner, await owner.as('editor'), await owner.as('viewer')];
    const { through, stopped } = await untilStopped((n) => me(people[n % people.length]!)());
    expectStop(stopped);
    expect(through).toBeGreaterThanOrEqual(PER_TENANT * WINDOW_SECONDS);
    for (const person of people) expect((await me(person)()).status).toBe(429);
    expect((await (await stage.tenant()).call('GET', '/auth/me')).status).toBe(200);
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
    expect([stopped.status, stopped.body.code]).toEqual([429, 'too_many_requests']);
    expect(through).toBe(PER_ADDRESS * 60 - 1);
    const login = { email: 'ada@example.com', password: 'wrong horse' };
    expect((await request(url, 'POST', '/auth/login', login)).status).toBe(429);
    expect((await owner.call('GET', '/auth/me')).status).toBe(200);
    for (const path of ['/health/live', '/health/ready', '/metrics'])
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
  });
});
