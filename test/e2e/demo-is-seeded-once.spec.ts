import { Api, request } from '../support/api.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { addPipeline, plain } from '../support/pipelines.js';
import { startProduct, type RunningProduct } from '../support/product.js';

describe('the demo tenant', () => {
  let database: TestDatabase;
  let product: RunningProduct;

  beforeAll(async () => {
    database = await createDatabase();
    await start();
  });

  afterAll(async () => {
    await product.stop();
    await database.drop();
  });

  async function start(): Promise<void> {
    product = await startProduct({ database, env: { DEMO: '1' } });
  }

  async function restart(): Promise<Api> {
    await product.stop();
    await start();
    return signIn();
  }

  async function signIn(): Promise<Api> {
    const sign = { email: 'demo@example.com', password: 'fieldsmith-demo' };
    const { body } = await request(product.url, 'POST', '/auth/login', sign);
    return new Api(product.url, body.token, body.tenant.id, body.user.id);
  }

  const pipelines = async (api: Api) => {
    const { items } = await api.get('/pipelines');
    return items.map(({ slug, id }: { slug: string; id: string }) => [slug, id]) as [string, string][];
  };

  it('keeps what people made of it, however long ago its first values were generated', async () => {
    const api = await signIn();
    const mine = await addPipeline(api, [plain('name')], 'My leads');
    const before = await pipelines(api);
    expect(before).toContainEqual(['my_leads', mine]);
    await database.sql('DELETE FROM ai_runs');
    expect(await pipelines(await restart())).toEqual(before);
  });

  it('is made anew where its seed was killed, and nothing of anybody goes with it', async () => {
    const before = new Map(await pipelines(await signIn()));
    await database.sql('UPDATE tenants SET demo_seeded_at = NULL');
    const after = new Map(await pipelines(await restart()));
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    expect(after.get('my_leads')).toBe(before.get('my_leads'));
    expect(after.get('companies')).not.toBe(before.get('companies'));
  });
});
