import type { Api } from '../support/api.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { RedisServer } from '../support/redis-server.js';
import { setStage, type Stage } from '../support/stage.js';

const PREFIX = 'throttle-test';
/** Long enough that it does not end while the test looks. */
const WINDOW_SECONDS = 60;
const PER_SECOND = 100;

describe('throttling in several processes', () => {
  let redis: RedisServer;
  let stage: Stage;
  let second: RunningProduct;
  let owner: Api;

  beforeAll(async () => {
    redis = await RedisServer.started();
    const env = {
      REDIS_URL: redis.url,
      REDIS_PREFIX: PREFIX,
      ROLE: 'api',
      THROTTLE_PRINCIPAL_PER_SECOND: String(PER_SECOND),
      THROTTLE_TENANT_PER_SECOND: String(10 * PER_SECOND),
      THROTTLE_WINDOW_SECONDS: String(WINDOW_SECONDS),
    };
    stage = await setStage(env);
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl, env });
    owner = await stage.tenant();
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
    await redis.remove();
  });

  const statusAt = async (user: Api, product: RunningProduct): Promise<number> =>
    (await user.at(product.url).call('GET', '/auth/me')).status;
  const keyOf = (user: Api) => `${PREFIX}:throttle:principal:${user.tenantId}:${user.userId}`;
  const counted = (user: Api) => redis.ask((client) => client.get(keyOf(user)));

  it('counts what all of them let through, under a key that ends with its window', async () => {
    const viewer = await owner.as('viewer');
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => statusAt(viewer, n % 2 === 0 ? stage.product : second)),
    );
    await owner.until('all are counted', async () => (await counted(viewer)) === '40');
    const rest = await redis.ask((client) => client.pttl(keyOf(viewer)));
    expect(rest).toBeGreaterThan(0);
    expect(rest).toBeLessThanOrEqual(WINDOW_SECONDS * 1000);
  });

  it('stops in each process what was let through in others', async () => {
    const viewer = await owner.as('viewer');
    const limit = PER_SECOND * WINDOW_SECONDS;
    await redis.ask((client) => client.set(keyOf(viewer), limit - 2, 'EX', WINDOW_SECONDS));
    expect(await statusAt(viewer, stage.product)).toBe(200);
    await owner.until('it is counted', async () => (await counted(viewer)) === String(limit - 1));
    expect(await statusAt(viewer, second)).toBe(200);
    await owner.until('it is stopped', async () => (await statusAt(viewer, second)) === 429);
    await owner.until('it is stopped here', async () => (await statusAt(viewer, stage.product)) === 429);
    expect(await statusAt(owner, second)).toBe(200);
  });

  it('waits for no Redis that is away or says nothing, and counts again when it is back', async () => {
    const viewer = await owner.as('viewer');
    redis.signal('SIGSTOP');
    for (const product of [stage.product, second]) expect(await statusAt(viewer, product)).toBe(200);
    redis.signal('SIGCONT');
    await redis.kill();
    for (const product of [stage.product, second]) expect(await statusAt(viewer, product)).toBe(200);
    await redis.start();
    await owner.until('requests are counted again', async () => {
      expect(await statusAt(viewer, second)).toBe(200);
      return Number(await counted(viewer)) > 0;
    });
  });
});
