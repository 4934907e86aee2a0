import { Global, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DELIVERY } from './delivery/delivery.js';
import { InProcessDelivery } from './delivery/in-process/in-process-delivery.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { Sweeper } from './dispatch/sweeper.js';
import { Worker } from './dispatch/worker.js';
import { WorkerLoops } from './dispatch/worker-loops.js';
import { JobsController } from './http/jobs.controller.js';
import { JobControl } from './jobs/job-control.js';
import { JobQueries } from './jobs/job-queries.js';
import { JobStore } from './jobs/job-store.js';
import { WorkerFigures } from './jobs/worker-figures.js';
import { createParserRegistry, ParserRegistry } from './parsers/parser-registry.js';
import { JobAnswerer } from './pipeline/answer-job.js';
import { JobBeginner } from './pipeline/begin-job.js';
import { JobEnder } from './pipeline/end-job.js';
import { CallPreparer } from './pipeline/prepare-call.js';
import { ProcessRegistry } from './pipeline/process-registry.js';
import { ProviderGate } from './pipeline/provider-gate.js';
import { ResultCache } from './pipeline/result-cache.js';
import { JobRunner } from './pipeline/run-job.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from './processing.options.js';

/** Jobs and what works on them; expects `PROCESSING_OPTIONS`. */
@Global()
@Module({
  controllers: [JobsController],
  providers: [
    CallPreparer,
    Dispatcher,
    JobAnswerer,
    JobBeginner,
    JobControl,
    JobEnder,
    JobQueries,
    JobRunner,
    JobStore,
    ProcessRegistry,
    ProviderGate,
    ResultCache,
    Sweeper,
    Worker,
    WorkerFigures,
    WorkerLoops,
    { provide: ParserRegistry, useFactory: createParserRegistry },
    {
      provide: DELIVERY,
      inject: [PROCESSING_OPTIONS],
      useFactory: ({ concurrency }: ProcessingOptions) => new InProcessDelivery(concurrency),
    },
  ],
  exports: [
    CallPreparer,
    JobAnswerer,
    JobControl,
    JobQueries,
    JobRunner,
    JobStore,
    ParserRegistry,
    ProcessRegistry,
  ],
})
export class ProcessingModule implements OnApplicationBootstrap {
  constructor(
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly worker: Worker,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.options.worker) await this.worker.start();
  }
}
