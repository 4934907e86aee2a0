import 'reflect-metadata';
import { jest } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { RecordChangeListener } from '#libs/ai-fields';
import { readConfig } from '../../src/config/read-config.js';
import type { Api } from '../support/api.js';
import { addPipeline, ai, plain } from '../support/pipelines.js';
import { TEST_MASTER_KEY } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

// It is CommonJS and requires Nest, which Jest cannot give it on Node 20; requests are not what this is about.
jest.unstable_mockModule('@nestjs/throttler', () => ({
  ThrottlerGuard: class {
    canActivate = () => true;
  },
  ThrottlerModule: { forRootAsync: () => ({ module: class {} }) },
}));

describe("the listener inside of a host's transaction", () => {
  let stage: Stage;
  let api: Api;
  let app: INestApplicationContext | undefined;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    const config = readConfig({
      ROLE: 'api',
      REDIS_URL: 'redis://127.0.0.1:1',
      DATABASE_URL: stage.database.url,
      MASTER_KEY: TEST_MASTER_KEY,
    });
    const { AppModule } = await import('../../src/app.module.js');
    const masterKey = Buffer.from(TEST_MASTER_KEY, 'base64');
    const runtime = { config, databaseUrl: stage.database.url, masterKey };
    app = await NestFactory.createApplicationContext(AppModule.with(runtime), { logger: ['error'] });
  });

  afterAll(async () => {
    await app?.close();
    await stage.close();
  });

  async function settingIn(em: EntityManager): Promise<string | null> {
    const [row] = await em.query<{ tenant: string | null }[]>(
      `SELECT current_setting('app.tenant_id', true) AS tenant`,
    );
    return row?.tenant ?? null;
  }

  it.each(['', 'somebody-else'])('restores the tenant that was set before: "%s"', async (before) => {
    const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Of {name}' })]);
    const pipeline = await api.get(`/pipelines/${pipelineId}`);
    const record = await api.post(`/pipelines/${pipelineId}/records`, { data: {} });
    const principal = { tenantId: api.tenantId, id: api.userId, name: 'Ada', roles: ['owner'] };
    const change = {
      pipelineId,
      pipelineVersion: pipeline.version,
      recordId: record.id,
      created: false,
      changed: { name: 'Ada' },
      origin: 'api' as const,
    };
    const told = await app!.get(DataSource).transaction(async (em) => {
      await em.query(`SELECT set_config('app.tenant_id', $1, true)`, [before]);
      const [role] = await em.query<{ role: string }[]>('SELECT current_user AS role');
      const jobs = await app!.get(RecordChangeListener).recordsSaved(em, principal, [change]);
      expect(await em.query('SELECT current_user AS role')).toEqual([role]);
      return { jobs, after: await settingIn(em) };
    });
    expect(told.after).toBe(before);
    expect(told.jobs).toEqual([
      [{ field: 'summary', job_id: expect.any(String), status: 'queued_on_commit' }],
    ]);
    const job = await api.job(told.jobs[0]![0]!.job_id);
    expect(job).toMatchObject({ record_id: record.id, status: 'completed' });
  });

  describe('where it fails', () => {
    /** Tells of a change in a transaction of somebody else's. @returns what it threw, and how the host finds the tenant. */
    async function failing(broken: object, after: (em: EntityManager) => Promise<unknown>) {
      const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Of {name}' })]);
      const { version: pipelineVersion } = await api.get(`/pipelines/${pipelineId}`);
      const principal = { tenantId: api.tenantId, id: api.userId, name: 'Ada', roles: ['owner'] };
      const change = { pipelineId, pipelineVersion, recordId: 'r', created: false, changed: { name: 'Ada' } };
      return app!.get(DataSource).transaction(async (em) => {
        await em.query(`SELECT set_config('app.tenant_id', 'somebody-else', true)`);
        await em.query('SAVEPOINT before');
        const changes = [{ ...change, origin: 'api' as const, ...broken }];
        const error = await app!
          .get(RecordChangeListener)
          .recordsSaved(em, principal, changes)
          .catch((thrown: unknown) => thrown);
        await after(em);
        return { error, tenant: await settingIn(em) };
      });
    }

    it('restores the tenant for a host that goes on', async () => {
      const { error, tenant } = await failing({ changed: null }, () => Promise.resolve());
      expect(error).toBeInstanceOf(TypeError);
      expect(tenant).toBe('somebody-else');
    });

    it('throws what went wrong, and not that the transaction is aborted', async () => {
      const { error, tenant } = await failing({ recordId: 'r\u0000' }, (em) =>
        em.query('ROLLBACK TO before'),
      );
      expect(error).toMatchObject({ code: '22P05' });
      expect(tenant).toBe('somebody-else');
    });
  });

  it('makes no job where the host rolls back', async () => {
    const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Of {name}' })]);
    const pipeline = await api.get(`/pipelines/${pipelineId}`);
    const record = await api.post(`/pipelines/${pipelineId}/records`, { data: {} });
    await api.settled(record.id);
    const principal = { tenantId: api.tenantId, id: api.userId, name: 'Ada', roles: ['owner'] };
    const rolledBack = app!.get(DataSource).transaction(async (em) => {
      const change = {
        pipelineId,
        pipelineVersion: pipeline.version,
        recordId: record.id,
        created: false,
        changed: { name: 'Ada' },
        origin: 'api' as const,
      };
      await app!.get(RecordChangeListener).recordsSaved(em, principal, [change]);
      throw new Error('The host changed its mind.');
    });
    await expect(rolledBack).rejects.toThrow('The host changed its mind.');
    const jobs = await stage.database.sql(`SELECT id FROM ai_jobs WHERE record_id = $1 AND origin = 'api'`, [
      record.id,
    ]);
    expect(jobs).toEqual([]);
  });
});
