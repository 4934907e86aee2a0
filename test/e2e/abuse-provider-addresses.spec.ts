import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Answer, Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const FAKE_DNS = pathToFileURL(join(process.cwd(), 'test/support/fake-dns.mjs')).href;
const KEY = 'sk-of-a-tenant-4711';

describe('the address that a tenant gives for a provider', () => {
  let stage: Stage;
  let api: Api;
  let port: string;
  let elsewhere: Server;
  let redirecting: string;

  beforeAll(async () => {
    stage = await setStage();
    port = new URL(stage.providerUrl).port;
    elsewhere = createServer((_, response) => {
      response.writeHead(307, { location: `${stage.providerUrl}/v1/chat/completions` }).end();
    }).listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    redirecting = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/v1`;
    await stage.restart('stop', {
      NODE_OPTIONS: `--import ${FAKE_DNS}`,
      PROVIDER_URL_ALLOWLIST: `http://*.fake.example.com:${port} ${redirecting}`,
    });
  });

  afterAll(async () => {
    elsewhere.close();
    await stage.close();
  });

  beforeEach(async () => {
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  const put = (host: string): Promise<Answer> =>
    api.call('PUT', '/provider-keys/openai', { api_key: KEY, base_url: `http://${host}:${port}/v1` });

  it.each(['private', 'both'])(
    'is refused when it is configured where its name leads into a private network: %s',
    async (kind) => {
      const refused = await put(`${kind}.fake.example.com`);
      expect([refused.status, refused.body.errors[0].path]).toEqual([422, 'base_url']);
      expect(refused.body.detail).toContain('leads to an address of a private network');
      expect((await api.get('/provider-keys')).items).toEqual([]);
    },
  );

  it('is refused at the connection too, where its name has come to lead there since', async () => {
    expect((await put('rebind.fake.example.com')).status).toBe(200);
    expect(await api.post('/provider-keys/openai/test')).toMatchObject({
      ok: false,
      error: { code: 'provider_invalid_request', message: expect.stringContaining('private network') },
    });
    const leads = await Leads.of(api);
    const { jobId } = await leads.add('Ada');
    expect(await api.job(jobId)).toMatchObject({
      status: 'failed',
      error_code: 'provider_invalid_request',
      error_message: expect.stringContaining('an address of a private network'),
      retry_count: 0,
    });
    expect(stage.simulator.requests()).toEqual([]);
    const spent = (await ledgerEntries(stage.database, api.tenantId)).map(({ cost_nano }) => cost_nano);
    expect(spent.every((cost) => cost === '0')).toBe(true);
  });

  it('is the only one that is asked: a redirect leads nowhere', async () => {
    const stored = { api_key: KEY, base_url: redirecting };
    await api.ok('PUT', '/provider-keys/openai', stored);
    const leads = await Leads.of(api);
    const { jobId } = await leads.add('Ada');
    expect(await api.job(jobId)).toMatchObject({
      status: 'failed',
      error_message: expect.stringContaining('redirects elsewhere (HTTP 307)'),
    });
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('is asked no more once the operator has taken it off the list', async () => {
    expect((await put('public.fake.example.com')).status).toBe(200);
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: `${stage.providerUrl}/v1` });
    const { url } = stage.product;
    api = api.at(url);
    const test = await api.call('POST', '/provider-keys/openai/test');
    expect([test.status, test.body.code]).toEqual([422, 'base_url_not_allowed']);
    const leads = await Leads.of(api);
    const { jobId } = await leads.add('Ada');
    expect(await api.job(jobId)).toMatchObject({ status: 'failed', error_code: 'base_url_not_allowed' });
    api.close();
  });
});
