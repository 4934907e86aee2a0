import { DataSource } from 'typeorm';
import { GenerationRuns1700000010000 } from '../../migrations/1700000010000-generation-runs.js';
import { migrate } from '../../src/database/migrate.js';
import { MIGRATIONS } from '../../src/database/migrations.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { schemaOf } from '../support/schema.js';

const [RUN, SUMMARY, ADVICE, EDIT] = [1, 2, 3, 4].map((n) => `01890000-0000-7000-8000-00000000000${n}`);
const BEFORE = MIGRATIONS.slice(0, MIGRATIONS.indexOf(GenerationRuns1700000010000));

describe('runs from before they had jobs of their own', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createDatabase({ template: false });
    await migrate(database.url, BEFORE);
  });

  afterEach(() => database.drop());

  it('count their jobs, and not those that their values made due', async () => {
    await database.sql(
      `INSERT INTO ai_runs (tenant_id, id, pipeline_id, field, scope, principal_id) VALUES ('acme', $1, 'p', 'summary', 'all', 'ann')`,
      [RUN],
    );
    await database.sql(
      `INSERT INTO ai_jobs (tenant_id, id, job_type, field, lane, max_retries, run_id, origin, principal_id) VALUES
         ('acme', $1, 'field_generation', 'summary', 1, 3, $4, 'backfill', 'ann'),
         ('acme', $2, 'field_generation', 'advice', 1, 3, $4, 'ai', 'ann'),
         ('acme', $3, 'field_generation', 'summary', 0, 3, NULL, 'user', 'ann')`,
      [SUMMARY, ADVICE, EDIT, RUN],
    );
    await migrate(database.url, [...BEFORE, GenerationRuns1700000010000]);
    expect(await database.sql('SELECT tenant_id, run_id, job_id FROM ai_run_jobs')).toEqual([
      { tenant_id: 'acme', run_id: RUN, job_id: SUMMARY },
    ]);
    expect(await database.sql('SELECT queueing, cursor FROM ai_runs')).toEqual([
      { queueing: false, cursor: null },
    ]);
  });

  it('are as they were where that is taken back', async () => {
    const schema = await schemaOf(database);
    const migrations = [...BEFORE, GenerationRuns1700000010000];
    await migrate(database.url, migrations);
    expect(await schemaOf(database)).not.toEqual(schema);
    const owner = new DataSource({ type: 'postgres', url: database.url, migrations });
    await owner.initialize();
    await owner.undoLastMigration();
    await owner.destroy();
    expect(await schemaOf(database)).toEqual(schema);
  });
});
