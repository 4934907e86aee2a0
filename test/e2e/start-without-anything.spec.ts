import { jest } from '@jest/globals';
import { Api, request } from '../support/api.js';
import { makeDataFolder, type DataFolder } from '../support/data-folder.js';
import { fixedPort } from '../support/fixed-port.js';
import { launch, type RunningProduct } from '../support/product.js';

jest.setTimeout(180_000);

const COMPANIES = 503;
const GENERATED_FIELDS = ['summary', 'sales_desk', 'opening_line'];

describe('a start with nothing but a folder', () => {
  let folder: DataFolder;
  let product: RunningProduct | undefined;

  beforeEach(() => {
    folder = makeDataFolder();
  });

  afterEach(async () => {
    await product?.stop();
    await folder.remove();
  });

  async function start(): Promise<RunningProduct> {
    product = await launch({ DATA_DIR: folder.path, PORT: '0' });
    return product;
  }

  it('migrates, seeds the demo and says where it is; the next one keeps everything', async () => {
    const first = await start();
    expect(first.output()).toContain('migrations were run.');
    expect(first.output()).toContain('Demo sign-in: demo@example.com / fieldsmith-demo');
    expect(first.output()).toContain('No provider key is set, so a simulator answers: set OPENAI_API_KEY');

    const api = await demo(first.url);
    const { items: pipelines } = await api.get('/pipelines');
    expect(pipelines.map(({ slug }: { slug: string }) => slug)).toEqual(['companies']);
    const before = await generatedCompanies(api, pipelines[0].id);
    api.close();
    expect(await first.stop()).toBe(0);

    const second = await start();
    expect(second.output()).not.toContain('migrations were run.');
    expect(second.output()).toContain('Demo sign-in: demo@example.com / fieldsmith-demo');
    const again = await demo(second.url);
    expect(await companies(again, pipelines[0].id)).toEqual(before);
    // The token of before still counts: the master key was kept.
    expect((await api.at(second.url).get('/auth/me')).tenant.name).toBe('Demo');
    again.close();
  });

  it('is ready no sooner than the demo can be signed in to', async () => {
    const port = await fixedPort();
    const launched = launch({ DATA_DIR: folder.path, PORT: String(port) });
    const url = `http://127.0.0.1:${port}`;
    await firstReady(url);
    await demo(url);
    product = await launched;
  });
});

/** Resolves with the very first answer that says so. */
async function firstReady(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/health/ready`).catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function demo(url: string): Promise<Api> {
  const sign = { email: 'demo@example.com', password: 'fieldsmith-demo' };
  const { status, body } = await request(url, 'POST', '/auth/login', sign);
  expect(status).toBe(200);
  return new Api(url, body.token, body.tenant.id, body.user.id);
}

interface Company {
  data: Record<string, string>;
  ai: Record<string, { state: string }>;
}

async function companies(api: Api, pipelineId: string): Promise<Company[]> {
  const found: Company[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page = `limit=200${cursor ? `&cursor=${cursor}` : ''}`;
    const { items, next_cursor } = await api.get(`/pipelines/${pipelineId}/records?${page}`);
    found.push(...items);
    cursor = next_cursor;
  }
  return found;
}

/** Waits for the values of the first twenty, and checks that they are of the companies they belong to. */
async function generatedCompanies(api: Api, pipelineId: string): Promise<Company[]> {
  await api.until('the first twenty companies have their values', async () => {
    const counts = await api.get(`/pipelines/${pipelineId}/ai/states`);
    return GENERATED_FIELDS.every((field) => counts[field]?.ready === 20);
  });
  const all = await companies(api, pipelineId);
  expect(all).toHaveLength(COMPANIES);
  for (const [index, { data, ai }] of all.entries()) {
    const expected = index < 20 ? 'ready' : 'empty';
    expect(Object.fromEntries(Object.entries(ai).map(([field, { state }]) => [field, state]))).toEqual(
      Object.fromEntries(GENERATED_FIELDS.map((field) => [field, expected])),
    );
    if (index < 20) expect(data['summary']).toContain(data['security']);
  }
  return all;
}
