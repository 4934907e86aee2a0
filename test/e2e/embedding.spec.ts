import 'reflect-metadata';
import { Global, Injectable, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import type { INestApplication } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { PrincipalRequest } from '#libs/access';
import { FieldsmithModule, HTTP_PROVIDERS, type FieldsmithOptions } from '#libs/fieldsmith';
import { PIPELINE_SCHEMAS, RECORD_SCANNER, RECORD_STORE } from '#libs/host';
import { connectionExtras } from '#libs/tenants';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { request, type Answer } from '../support/api.js';

const OPTIONS: FieldsmithOptions = {
  tenants: {
    masterKey: Buffer.alloc(32, 7),
    defaults: {
      defaultModel: 'gpt-4o-mini',
      defaultMaxTokens: 500,
      cacheSeconds: 3600,
      enableTools: false,
      deniedFields: ['password'],
      contentRetentionDays: 30,
      allowGlobalKeys: true,
    },
  },
  llm: { globalKeys: {}, urlAllowlist: [], timeoutMs: 60_000 },
  processing: {
    worker: false,
    concurrency: 4,
    tenantWindow: 8,
    leaseMs: 30_000,
    orphanedHoldMs: 300_000,
    sweepIntervalMs: 5_000,
    maxRetries: 3,
    retryBaseMs: 5_000,
    drainMs: 10_000,
  },
};

@Global()
@Module({
  providers: [RECORD_STORE, RECORD_SCANNER, PIPELINE_SCHEMAS].map((provide) => ({ provide, useValue: {} })),
  exports: [RECORD_STORE, RECORD_SCANNER, PIPELINE_SCHEMAS],
})
class PortsModule {}

/** Believes whatever role a request says it has. */
@Injectable()
class MyAuthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const asked = context.switchToHttp().getRequest<PrincipalRequest & { headers: Record<string, string> }>();
    const role = asked.headers['x-role'];
    if (role) asked.principal = { tenantId: 'acme', id: 'u1', name: 'Ada', roles: [role] };
    return true;
  }
}

describe('a platform that embeds Fieldsmith', () => {
  let database: TestDatabase;
  let app: INestApplication | undefined;

  beforeAll(async () => {
    database = await createDatabase();
  });

  afterEach(() => app?.close());
  afterAll(() => database.drop());

  async function embed(
    more: typeof HTTP_PROVIDERS,
  ): Promise<(role: string, method: string, path: string, body?: unknown) => Promise<Answer>> {
    @Module({
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: database.url, extra: connectionExtras() }),
        PortsModule,
        FieldsmithModule.forRoot(OPTIONS),
      ],
      providers: [{ provide: APP_GUARD, useClass: MyAuthGuard }, ...more],
    })
    class MyAppModule {}
    app = await NestFactory.create(MyAppModule, { logger: false });
    app.setGlobalPrefix('api/v1');
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    return (role, method, path, body) => request(url, method, path, body, role ? { 'x-role': role } : {});
  }

  it('has roles, checked input and problems by the providers that the README lists', async () => {
    const ask = await embed(HTTP_PROVIDERS);
    const budget = { monthly_budget_cents: 100 };
    const asked: [Answer, number, string][] = [
      [await ask('', 'GET', '/ai-settings'), 401, 'unauthenticated'],
      [await ask('viewer', 'PATCH', '/ai-settings', budget), 403, 'forbidden'],
      [await ask('viewer', 'GET', '/audit-log'), 403, 'forbidden'],
      [await ask('admin', 'PATCH', '/ai-settings', { denied_fields: 'all' }), 422, 'invalid_input'],
      [await ask('admin', 'GET', '/ai-jobs/x'), 404, 'not_found'],
    ];
    for (const [{ status, body }, expected, code] of asked)
      expect([status, body.code]).toEqual([expected, code]);
    expect((await ask('admin', 'PATCH', '/ai-settings', budget)).body).toMatchObject(budget);
  });

  it('asks for roles even where it forgot them', async () => {
    const ask = await embed([]);
    expect((await ask('viewer', 'PATCH', '/ai-settings', { monthly_budget_cents: 1 })).status).not.toBe(200);
    expect((await ask('', 'GET', '/audit-log')).status).not.toBe(200);
    expect((await ask('admin', 'GET', '/ai-settings')).body).not.toMatchObject({ monthly_budget_cents: 1 });
  });
});
