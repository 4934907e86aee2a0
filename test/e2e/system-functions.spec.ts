import { SYSTEM_FUNCTIONS } from '#libs/tenants';
import { createDatabase, type TestDatabase } from '../support/database.js';

interface SystemFunction {
  signature: string;
  owner: string;
  settings: string[];
  for_public: boolean;
  for_app: boolean;
}

const FUNCTIONS = `
  SELECT p.oid::regprocedure::text AS signature, pg_get_userbyid(p.proowner) AS owner, p.proconfig AS settings,
         has_function_privilege('public', p.oid, 'EXECUTE') AS for_public,
         has_function_privilege('fieldsmith_app', p.oid, 'EXECUTE') AS for_app
    FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace ORDER BY 1`;

describe('functions with the rights of the system role', () => {
  let database: TestDatabase;
  let found: SystemFunction[];

  beforeAll(async () => {
    database = await createDatabase();
    found = await database.sql<SystemFunction>(FUNCTIONS);
  });

  afterAll(() => database.drop());

  it('are the listed ones and no others, each with a reason', () => {
    expect(found.map(({ signature }) => signature)).toEqual(Object.keys(SYSTEM_FUNCTIONS).sort());
    for (const reason of Object.values(SYSTEM_FUNCTIONS)) expect(reason).toMatch(/^[A-Z].*\.$/);
  });

  it('belong to the system role, with a search path of their own, for the application alone', () => {
    expect(found).toEqual(
      found.map(({ signature }) => ({
        signature,
        owner: 'fieldsmith_system',
        settings: ['search_path=public, pg_temp'],
        for_public: false,
        for_app: true,
      })),
    );
  });

  it('are the only way around the policies: neither role can sign in, bypass them or make objects', async () => {
    const roles = await database.sql(
      `SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles
        WHERE rolname IN ('fieldsmith_app', 'fieldsmith_system') ORDER BY 1`,
    );
    const nothing = {
      rolcanlogin: false,
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
    };
    expect(roles).toEqual([
      { rolname: 'fieldsmith_app', ...nothing },
      { rolname: 'fieldsmith_system', ...nothing },
    ]);
    const [app] =
      await database.sql(`SELECT has_schema_privilege('fieldsmith_app', 'public', 'CREATE') AS makes,
      pg_has_role('fieldsmith_app', 'fieldsmith_system', 'MEMBER') AS is_system`);
    expect(app).toEqual({ makes: false, is_system: false });
  });
});
