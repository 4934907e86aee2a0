import { randomBytes } from 'node:crypto';
import { Api } from '../support/api.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startProduct, TEST_MASTER_KEY, type RunningProduct } from '../support/product.js';
import { runProduct } from '../support/program.js';
import { schemaOf } from '../support/schema.js';

const RUN = 'SELECT name FROM migrations ORDER BY id';

describe('migrations', () => {
  let database: TestDatabase;
  let running: RunningProduct[];
  let roles: string[];

  beforeEach(async () => {
    database = await createDatabase({ template: false });
    running = [];
    roles = [];
  });

  afterEach(async () => {
    await Promise.all(running.map((product) => product.stop()));
    for (const role of roles) {
      await database.sql(`REASSIGN OWNED BY ${role} TO fieldsmith_owner; DROP OWNED BY ${role}`);
      await database.sql(`DROP ROLE ${role}`);
    }
    await database.drop();
  });

  async function start(env: Record<string, string> = {}): Promise<RunningProduct> {
    const product = await startProduct({ database, env: { LOG_LEVEL: 'info', ...env } });
    running.push(product);
    return product;
  }

  async function migrated(): Promise<string[]> {
    return (await database.sql<{ name: string }>(RUN)).map(({ name }) => name);
  }

  /** A role of the cluster that the test may use and that goes with it. @returns its URL. */
  async function makeRole(rights: string): Promise<{ role: string; url: string }> {
    const role = `test_role_${randomBytes(4).toString('hex')}`;
    await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'secret' ${rights}`);
    roles.push(role);
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'secret'];
    return { role, url: url.href };
  }

  it('make an empty database usable as its unprivileged owner, and do nothing the next time', async () => {
    const [owner] = await database.sql(
      `SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'fieldsmith_owner'`,
    );
    expect(owner).toEqual({ rolsuper: false, rolbypassrls: false, rolcreaterole: true });
    const first = await start();
    const names = await migrated();
    expect(first.output()).toContain(`${names.length} migrations were run.`);
    const schema = await schemaOf(database);
    const api = await Api.register(first.url);
    expect((await api.get('/pipelines')).items).toEqual([]);

    const second = await start();
    expect(second.output()).not.toContain('migrations were run');
    expect(await migrated()).toEqual(names);
    expect(await schemaOf(database)).toEqual(schema);
  });

  it('are run once where several processes start together', async () => {
    const products = await Promise.all([start(), start(), start()]);
    const names = await migrated();
    expect(new Set(names).size).toBe(names.length);
    expect(products.filter((product) => product.output().includes('migrations were run'))).toHaveLength(1);
    const api = await Api.register(products[0]!.url);
    for (const { url } of products) expect((await api.at(url).get('/auth/me')).tenant.id).toBe(api.tenantId);
  });

  it('run as a superuser too, and the application is none', async () => {
    const product = await start({ DATABASE_URL: database.adminUrl });
    const [api, other] = [await Api.register(product.url), await Api.register(product.url)];
    const { id } = await api.post('/pipelines', { name: 'Leads' });
    expect((await other.get('/pipelines')).items).toEqual([]);
    expect((await other.call('GET', `/pipelines/${id}`)).status).toBe(404);
  });

  it('run as the owner, and the application as a user who may do nothing else', async () => {
    const { url } = await makeRole('NOCREATEROLE');
    // The role exists: another database of the cluster was migrated before.
    await database.sql(`GRANT fieldsmith_app TO ${roles[0]}`);
    const product = await start({ DATABASE_URL: url, DATABASE_OWNER_URL: database.url });
    const api = await Api.register(product.url);
    const { id } = await api.post('/pipelines', { name: 'Leads' });
    expect((await api.get('/pipelines')).items).toMatchObject([{ id }]);
  });

  it('say which grant is missing where the owner may not use the roles, and work once it is there', async () => {
    const { role, url } = await makeRole('NOCREATEROLE');
    await database.sql(`ALTER DATABASE ${new URL(url).pathname.slice(1)} OWNER TO ${role}`);
    const env = { DATABASE_URL: url, MASTER_KEY: TEST_MASTER_KEY, PORT: '0', DEMO: '0' };
    const refused = runProduct(env);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain(`Let an administrator run: GRANT fieldsmith_app TO ${role};`);
    expect(refused.output()).not.toMatch(/^\s+at /m);
    expect(refused.output().trim().split('\n')).toHaveLength(1);

    await database.sql(`GRANT fieldsmith_app, fieldsmith_system TO ${role}`);
    const product = await start({ DATABASE_URL: url });
    expect((await Api.register(product.url)).tenantId).toBeTruthy();
  });

  it.each(['records', 'ai_jobs', 'ai_ledger'])(
    'are not enough where row-level security is not forced on %s: the boot says so',
    async (table) => {
      await (await start()).stop();
      await database.sql(`ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY`);
      const env = { DATABASE_URL: database.url, MASTER_KEY: TEST_MASTER_KEY, PORT: '0', DEMO: '0' };
      const refused = runProduct({ ...env, LOG_LEVEL: 'warn' });
      expect(await refused.ended).toBe(1);
      expect(refused.output().trim()).toBe(
        `Row-level security is not forced on ${table}: ALTER TABLE … FORCE ROW LEVEL SECURITY.`,
      );
    },
  );
});
