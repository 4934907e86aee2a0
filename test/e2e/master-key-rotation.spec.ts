import { join } from 'node:path';
import pg from 'pg';
import { SecretBox } from '#libs/tenants';
import { Leads } from '../support/leads.js';
import { envOf, runJobIn } from '../support/maintenance.js';
import { TEST_MASTER_KEY } from '../support/product.js';
import { runProgram } from '../support/program.js';
import { setStage, type Stage } from '../support/stage.js';

const OLD = Buffer.from(TEST_MASTER_KEY, 'base64');
const NEW = Buffer.alloc(32, 8);
const LOST = Buffer.alloc(32, 9);
const SECRET = 'sk-tenant-very-secret-6060';

const base64 = (key: Buffer) => key.toString('base64');
const idOf = (key: Buffer) => new SecretBox(key).keyId;
/** What processes are given while the new key takes the place of the old one. */
const ROTATING = { MASTER_KEY: base64(NEW), MASTER_KEY_PREVIOUS: base64(OLD) };

describe('rotate-master-key', () => {
  let stage: Stage;
  let allowlist: Record<string, string>;

  beforeAll(async () => {
    stage = await setStage();
    allowlist = { PROVIDER_URL_ALLOWLIST: `${stage.providerUrl}/v1` };
    await stage.restart('stop', allowlist);
  });

  afterAll(() => stage.close());
  afterEach(() => stage.database.sql('DELETE FROM ai_provider_keys'));

  const rotate = (env: Record<string, string> = ROTATING) =>
    runJobIn({ ...envOf(stage.database), ...env }, 'rotate-master-key');
  const lastFours = () => stage.simulator.requests().map(({ api_key_last_four: lastFour }) => lastFour);

  async function sealedUnder(): Promise<Record<string, number>> {
    const rows = await stage.database.sql<{ key_id: string; keys: number }>(
      'SELECT key_id, count(*)::int AS keys FROM ai_provider_keys GROUP BY 1',
    );
    return Object.fromEntries(rows.map(({ key_id: id, keys }) => [id, keys]));
  }

  /** Keys of as many tenants as that, sealed under a master key; the tenants sort as they are numbered. */
  async function addKeys(count: number, masterKey: Buffer, prefix: string): Promise<void> {
    const box = new SecretBox(masterKey);
    for (let n = 0; n < count; n += 1) {
      const tenant = `${prefix}-${String(n).padStart(4, '0')}`;
      const { keyId, sealed } = box.seal(tenant, 'provider-key:openai', SECRET);
      await stage.database.sql(
        `INSERT INTO ai_provider_keys (tenant_id, provider, key_id, sealed, last_four) VALUES ($1, 'openai', $2, $3, '6060')`,
        [tenant, keyId, sealed],
      );
    }
  }

  it('says which keys no known master key opens, rotates the others, and those once it is given', async () => {
    await addKeys(2, OLD, 'a');
    await addKeys(1, LOST, 'b');
    await addKeys(2, OLD, 'c');
    const { code, lines, stderr } = await rotate();
    expect([code, lines]).toMatchObject([1, [{ outcome: 'failed', rotated: 4, unreadable: 1 }]]);
    expect(stderr).toContain('1 provider keys cannot be opened by MASTER_KEY or any of MASTER_KEY_PREVIOUS');
    expect(stderr).toContain(idOf(LOST));
    expect(stderr).toContain('b-0000');
    for (const secret of [SECRET, base64(OLD), base64(NEW)]) expect(stderr).not.toContain(secret);
    expect(await sealedUnder()).toEqual({ [idOf(NEW)]: 4, [idOf(LOST)]: 1 });
    const found = { ...ROTATING, MASTER_KEY_PREVIOUS: `${base64(LOST)}, ${base64(OLD)}` };
    expect(await rotate(found)).toMatchObject({ code: 0, lines: [{ rotated: 1, unreadable: 0 }] });
    expect(await sealedUnder()).toEqual({ [idOf(NEW)]: 5 });
  });

  it('killed in the middle leaves every key readable, and the next run does the rest', async () => {
    await addKeys(20, OLD, 'tenant');
    const blocker = new pg.Client({ connectionString: stage.database.adminUrl });
    await blocker.connect();
    await blocker.query('BEGIN');
    await blocker.query(`SELECT FROM ai_provider_keys WHERE tenant_id = 'tenant-0012' FOR UPDATE`);
    const main = join(process.env['TEST_DIST'] ?? 'dist/current', 'src/job.js');
    const env = { ...envOf(stage.database), ...ROTATING };
    const job = runProgram(process.execPath, [main, 'rotate-master-key'], { env });
    const api = await stage.tenant();
    await api.until('it waits in the middle', async () => (await sealedUnder())[idOf(NEW)] === 12);
    job.process.kill('SIGKILL');
    await job.ended;
    await blocker.query('ROLLBACK');
    await blocker.end();

    expect(await sealedUnder()).toEqual({ [idOf(NEW)]: 12, [idOf(OLD)]: 8 });
    const box = new SecretBox(NEW, [OLD]);
    const open = async () => {
      const rows = await stage.database.sql<{ tenant_id: string; key_id: string; sealed: Buffer }>(
        'SELECT tenant_id, key_id, sealed FROM ai_provider_keys',
      );
      return rows.map(({ tenant_id: tenant, key_id: keyId, sealed }) =>
        box.open(tenant, 'provider-key:openai', { keyId, sealed }),
      );
    };
    expect(await open()).toEqual(Array(20).fill(SECRET));
    expect(await rotate()).toMatchObject({ code: 0, lines: [{ rotated: 8, unreadable: 0 }] });
    expect(await sealedUnder()).toEqual({ [idOf(NEW)]: 20 });
    expect(await open()).toEqual(Array(20).fill(SECRET));
  });

  it('seals every key anew beside a product that serves, which then needs the old master key no more', async () => {
    const api = await stage.tenant();
    const key = { api_key: SECRET, base_url: `${stage.providerUrl}/v1` };
    const stored = await api.ok('PUT', '/provider-keys/openai', key);
    await stage.restart('stop', { ...allowlist, ...ROTATING });
    const during = api.at(stage.product.url);
    const leads = await Leads.of(during);
    expect(await leads.addDone('Ada')).toMatchObject({ status: 'completed' });

    await addKeys(300, OLD, 'bulk');
    const jobs = leads.addMany(['Grace', 'Mary', 'Edith', 'Hedy']);
    expect(await rotate()).toMatchObject({
      code: 0,
      lines: [{ job: 'rotate-master-key', outcome: 'completed', rotated: 301, unreadable: 0 }],
    });
    for (const { jobId } of await jobs)
      expect(await during.job(jobId)).toMatchObject({ status: 'completed' });
    expect(await sealedUnder()).toEqual({ [idOf(NEW)]: 301 });
    expect((await rotate()).lines).toMatchObject([{ rotated: 0, unreadable: 0 }]);

    const admin = await during.as('admin');
    await stage.restart('stop', { ...allowlist, MASTER_KEY: base64(NEW) });
    const after = new Leads(admin.at(stage.product.url), leads.pipelineId);
    expect(await after.addDone('Ida')).toMatchObject({ status: 'completed' });
    expect(lastFours()).toEqual(Array(6).fill('6060'));
    const { items } = await after.api.get('/provider-keys');
    expect(items).toMatchObject([{ last_four: '6060', updated_at: stored.updated_at }]);
    // Signed under the old key.
    expect((await api.at(stage.product.url).call('GET', '/auth/me')).status).toBe(401);
    for (const each of [during, admin, after.api]) each.close();
  });
});
