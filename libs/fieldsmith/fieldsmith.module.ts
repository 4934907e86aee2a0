import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { collectDefaultMetrics } from 'prom-client';
import { AccessModule } from '#libs/access';
import { ACCOUNTING_OPTIONS, AccountingModule } from '#libs/accounting';
import { AiFieldsModule } from '#libs/ai-fields';
import { AnalyticsModule } from '#libs/analytics';
import { Metrics } from '#libs/common';
import { EventsModule } from '#libs/events';
import { LLM_OPTIONS, LlmModule } from '#libs/llm';
import { PROCESSING_OPTIONS, ProcessingModule } from '#libs/processing';
import { TENANTS_OPTIONS, TenantsModule } from '#libs/tenants';
import { EventsController } from './events.controller.js';
import {
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  FIELDSMITH_OPTIONS,
  OPTIONS_TYPE,
  type FieldsmithOptions,
} from './fieldsmith.options.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { ShownEvents } from './shown-events.js';

const PARTS: Provider[] = [
  ShownEvents,
  {
    provide: Metrics,
    useFactory: () => {
      const metrics = new Metrics();
      collectDefaultMetrics({ register: metrics });
      return metrics;
    },
  },
  {
    provide: TENANTS_OPTIONS,
    inject: [FIELDSMITH_OPTIONS],
    useFactory: (options: FieldsmithOptions) => options.tenants,
  },
  {
    provide: LLM_OPTIONS,
    inject: [FIELDSMITH_OPTIONS],
    useFactory: (options: FieldsmithOptions) => options.llm,
  },
  {
    provide: ACCOUNTING_OPTIONS,
    inject: [FIELDSMITH_OPTIONS],
    useFactory: (options: FieldsmithOptions) => options.accounting ?? {},
  },
  {
    provide: PROCESSING_OPTIONS,
    inject: [FIELDSMITH_OPTIONS],
    useFactory: (options: FieldsmithOptions) => options.processing,
  },
];

/**
 * The one module an embedder imports. It expects the default TypeORM data source and, as global providers, the ports of
 * `#libs/host`: `RECORD_STORE`, `RECORD_SCANNER` and `PIPELINE_SCHEMAS`.
 *
 * @example
 * imports: [
 *   TypeOrmModule.forRoot({ type: 'postgres', url, extra: connectionExtras() }),
 *   MyPortsModule,
 *   FieldsmithModule.forRootAsync({ inject: [Config], useFactory: (config: Config) => config.fieldsmith }),
 * ]
 */
@Global()
@Module({
  imports: [
    TenantsModule,
    AccessModule,
    EventsModule,
    LlmModule,
    AccountingModule,
    ProcessingModule,
    AiFieldsModule,
    AnalyticsModule,
  ],
  controllers: [EventsController, MetricsController],
})
export class FieldsmithModule extends ConfigurableModuleClass {
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    return withParts(super.forRoot(options));
  }

  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return withParts(super.forRootAsync(options));
  }
}

/** The options of each lib, made from the one object and exported to all of them. */
function withParts(module: DynamicModule): DynamicModule {
  return {
    ...module,
    providers: [...(module.providers ?? []), ...PARTS],
    exports: [
      ...(module.exports ?? []),
      Metrics,
      TENANTS_OPTIONS,
      LLM_OPTIONS,
      ACCOUNTING_OPTIONS,
      PROCESSING_OPTIONS,
    ],
  };
}
