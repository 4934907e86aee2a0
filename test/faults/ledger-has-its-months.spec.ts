import { AppConnections, asTenant } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { newCall, placeHold, settle } from '../support/money-functions.js';

const MONTHS_AHEAD = 3;

interface Partition {
  name: string;
  owner: string;
  rights: boolean;
}

const PARTITIONS = `
  SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner,
         has_table_privilege('fieldsmith_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') AS rights
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'ai_ledger'::regclass ORDER BY 1`;

describe('the ledger has its months', () => {
  let database: TestDatabase;
  let connections: AppConnections;
  let partitions: Partition[];

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, 1);
    partitions = await database.sql<Partition>(PARTITIONS);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  const monthName = (ahead: number) => {
    const now = new Date();
    const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1));
    return `ai_ledger_${month.toISOString().slice(0, 7).replace('-', '_')}`;
  };

  it('has this month, the months ahead and the default from the first migration on', () => {
    const expected = Array.from({ length: MONTHS_AHEAD + 1 }, (_, ahead) => monthName(ahead));
    expect(partitions.map(({ name }) => name)).toEqual([...expected, 'ai_ledger_default'].sort());
  });

  it('gives the application no right on any partition', async () => {
    for (const { name, owner, rights } of partitions) {
      expect({ name, owner, rights }).toEqual({ name, owner: 'fieldsmith_system', rights: false });
      for (const sql of [`SELECT FROM ${name}`, `DELETE FROM ${name}`, `DROP TABLE ${name}`])
        await expect(connections.first.query(sql)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('takes no change and no deletion of what was written', async () => {
    for (const sql of ['UPDATE ai_ledger SET cost_nano = 0', 'DELETE FROM ai_ledger', 'TRUNCATE ai_ledger'])
      await expect(connections.first.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('files a row under the month of its hold', async () => {
    const call = newCall();
    await placeHold(connections.first, 'acme', call, { amount: 10 });
    await settle(connections.first, 'acme', call, { state: 'settled', cost: 5 });
    const sql = 'SELECT tableoid::regclass::text AS name FROM ai_ledger WHERE job_id = $1';
    expect(await database.sql(sql, [call.jobId])).toEqual([{ name: monthName(0) }]);
  });

  it('makes further months when asked, once however many ask', async () => {
    const count = await asTenant(connections.first, 'acme', async () => {
      const sql = `SELECT ai_ensure_ledger_months(current_date, $1) AS made`;
      const made = [];
      for (const months of [MONTHS_AHEAD, MONTHS_AHEAD + 2, MONTHS_AHEAD + 2])
        made.push((await connections.first.query<{ made: number }>(sql, [months])).rows[0]!.made);
      return made;
    });
    expect(count).toEqual([0, 2, 0]);
    const after = await database.sql<Partition>(PARTITIONS);
    expect(after.map(({ name }) => name)).toContain(monthName(MONTHS_AHEAD + 2));
    expect(after.filter(({ rights }) => rights)).toEqual([]);
  });
});
