import { Global, Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FieldsmithModule, ProblemFilter, type FieldsmithOptions } from '#libs/fieldsmith';
import type { LlmCredentials } from '#libs/llm';
import { DEFAULT_DENIED_FIELDS } from '#libs/prompt-language';
import { connectionExtras } from '#libs/tenants';
import { HostPortsModule } from './ai/host-ports.module.js';
import { AuthModule } from './auth/auth.module.js';
import { CrmModule } from './crm/crm.module.js';
import { DemoModule } from './demo/demo.module.js';
import { HealthModule } from './health/health.module.js';
import { queueBoard } from './operators/queue-board.js';
import { RUNTIME, type Runtime } from './runtime.js';
import { ThrottleModule } from './throttle/throttle.module.js';

/** Milliseconds that a shutdown waits for calls in flight. */
const DRAIN_MS = 20_000;
const RETENTION_DAYS = 90;

@Global()
@Module({})
class RuntimeModule {}

/** The reference host: a small CRM that embeds Fieldsmith. */
@Module({})
export class AppModule {
  static with(runtime: Runtime): DynamicModule {
    return {
      module: AppModule,
      imports: [
        { module: RuntimeModule, providers: [{ provide: RUNTIME, useValue: runtime }], exports: [RUNTIME] },
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: runtime.databaseUrl,
          extra: connectionExtras(),
          retryAttempts: 0,
        }),
        HostPortsModule,
        FieldsmithModule.forRoot(fieldsmithOptions(runtime)),
        ThrottleModule.for(runtime.config),
        AuthModule,
        CrmModule,
        HealthModule.for(runtime.config),
        DemoModule,
        ...queueBoard(runtime.config),
      ],
      providers: [{ provide: APP_FILTER, useClass: ProblemFilter }],
    };
  }
}

function fieldsmithOptions({ config, masterKey, simulatorUrl }: Runtime): FieldsmithOptions {
  const { ai } = config;
  return {
    tenants: {
      masterKey,
      previousMasterKeys: config.previousMasterKeys,
      defaults: {
        defaultModel: ai.defaultModel,
        defaultTemperature: ai.defaultTemperature,
        defaultMaxTokens: ai.defaultMaxTokens,
        cacheSeconds: ai.cacheTtlSeconds,
        enableTools: false,
        deniedFields: [...DEFAULT_DENIED_FIELDS],
        contentRetentionDays: RETENTION_DAYS,
        allowGlobalKeys: true,
      },
    },
    llm: {
      globalKeys: globalKeys(config),
      globalMaxConcurrency: globalLimits(config),
      simulatorMaxConcurrency: config.simulatorMaxConcurrency,
      probeIntervalMs: ai.probeIntervalMs,
      urlAllowlist: config.providerUrlAllowlist,
      simulatorUrl,
      timeoutMs: ai.providerTimeoutMs,
    },
    accounting: { defaultFieldBudgetCents: ai.defaultFieldBudgetCents },
    processing: {
      worker: config.role !== 'api',
      redis: config.redisUrl ? { url: config.redisUrl, prefix: config.redisPrefix } : undefined,
      concurrency: ai.workerConcurrency,
      tenantWindow: ai.tenantWindow,
      leaseMs: ai.leaseMs,
      orphanedHoldMs: ai.leaseMs + 3 * ai.providerTimeoutMs,
      sweepIntervalMs: ai.sweepIntervalMs,
      maxRetries: ai.maxRetries,
      retryBaseMs: ai.retryBaseMs,
      ledgerRetentionMonths: ai.ledgerRetentionMonths,
      drainMs: DRAIN_MS,
    },
    operations: { metricsToken: config.metricsToken },
  };
}

/** Keys that all tenants share, from the environment. */
export function globalKeys({ openai, anthropic }: Runtime['config']): Record<string, LlmCredentials> {
  const keys: Record<string, LlmCredentials> = {};
  if (openai.apiKey) keys['openai'] = { apiKey: openai.apiKey, baseUrl: openai.baseUrl };
  if (anthropic.apiKey) keys['anthropic'] = { apiKey: anthropic.apiKey, baseUrl: anthropic.baseUrl };
  return keys;
}

/** Most calls at once with the keys of {@link globalKeys}, where there is a limit. */
function globalLimits({ openai, anthropic }: Runtime['config']): Record<string, number> {
  const limits = { openai: openai.maxConcurrency, anthropic: anthropic.maxConcurrency };
  return Object.fromEntries(
    Object.entries(limits).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}
