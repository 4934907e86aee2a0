import { Global, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { BLOCKED_JOBS } from '#libs/accounting';
import { BullDelivery } from './delivery/bull/bull-delivery.js';
import { BullDeliveryModule, LANE_QUEUES } from './delivery/bull/bull-delivery.module.js';
import type { LaneQueues } from './delivery/bull/lane-queues.js';
import { RedisConnections } from './delivery/bull/redis-connections.js';
import { DELIVERY, type Delivery } from './delivery/delivery.js';
import { InProcessDelivery } from './delivery/in-process/in-process-delivery.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { Heartbeat } from './dispatch/heartbeat.js';
import { KeyLines } from './dispatch/key-lines.js';
import { Worker } from './dispatch/worker.js';
import { WorkerLoops } from './dispatch/worker-loops.js';
import { JobsController } from './http/jobs.controller.js';
import { BackendLatencies } from './jobs/backend-latency.js';
import { BudgetBlockedJobs } from './jobs/budget-blocked-jobs.js';
import { JobControl } from './jobs/job-control.js';
import { JobQueries } from './jobs/job-queries.js';
import { JobStore } from './jobs/job-store.js';
import { KeyStates } from './jobs/key-states.js';
import { WorkerFigures } from './jobs/worker-figures.js';
import { EnsureLedgerMonths, ReconcileHolds } from './maintenance/accounting-jobs.js';
import { ApplyRetention } from './maintenance/apply-retention.js';
import { CleanupOldJobs } from './maintenance/cleanup-old-jobs.js';
import { EachTenant } from './maintenance/each-tenant.js';
import { KeptExecutions } from './maintenance/kept-executions.js';
import { DropOldLedgerMonths, RollUpLedger } from './maintenance/ledger-jobs.js';
import { MAINTENANCE_JOBS, type MaintenanceJob } from './maintenance/maintenance-job.js';
import { MaintenanceLeases } from './maintenance/maintenance-leases.js';
import { MaintenanceSchedule } from './maintenance/maintenance-schedule.js';
import { Maintenance } from './maintenance/maintenance.js';
import { RetryFailedJobs } from './maintenance/retry-failed-jobs.js';
import { RotateMasterKey } from './maintenance/rotate-master-key.js';
import { SweepLeases } from './maintenance/sweep-leases.js';
import { createParserRegistry, ParserRegistry } from './parsers/parser-registry.js';
import { JobAnswerer } from './pipeline/answer-job.js';
import { AttemptTransactions } from './pipeline/attempt-transactions.js';
import { JobBeginner } from './pipeline/begin-job.js';
import { JobEnder } from './pipeline/end-job.js';
import { KeyGuard } from './pipeline/key-guard.js';
import { KeyPauses } from './pipeline/key-pauses.js';
import { CallPreparer } from './pipeline/prepare-call.js';
import { ProcessRegistry } from './pipeline/process-registry.js';
import { ProviderGate } from './pipeline/provider-gate.js';
import { ResultCache } from './pipeline/result-cache.js';
import { JobRunner } from './pipeline/run-job.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from './processing.options.js';
import { CallMetrics } from './telemetry/call-metrics.js';
import { JobMetrics } from './telemetry/job-metrics.js';
import { JobReporter } from './telemetry/job-reporter.js';
import { RecentFigures } from './telemetry/operating-figures.js';
import { OperatingGauges } from './telemetry/operating-gauges.js';

const MAINTENANCE = [
  SweepLeases,
  RetryFailedJobs,
  CleanupOldJobs,
  ApplyRetention,
  EnsureLedgerMonths,
  ReconcileHolds,
  RotateMasterKey,
  RollUpLedger,
  DropOldLedgerMonths,
];

/** Jobs and what works on them; expects `PROCESSING_OPTIONS`. */
@Global()
@Module({
  imports: [BullDeliveryModule],
  controllers: [JobsController],
  providers: [
    AttemptTransactions,
    BackendLatencies,
    CallMetrics,
    CallPreparer,
    Dispatcher,
    EachTenant,
    Heartbeat,
    JobAnswerer,
    JobBeginner,
    JobControl,
    JobEnder,
    JobMetrics,
    JobQueries,
    JobReporter,
    JobRunner,
    JobStore,
    KeptExecutions,
    KeyStates,
    Maintenance,
    MaintenanceLeases,
    MaintenanceSchedule,
    OperatingGauges,
    KeyGuard,
    KeyPauses,
    KeyLines,
    ProcessRegistry,
    ProviderGate,
    RecentFigures,
    ResultCache,
    Worker,
    WorkerFigures,
    WorkerLoops,
    ...MAINTENANCE,
    {
      provide: MAINTENANCE_JOBS,
      inject: MAINTENANCE,
      useFactory: (...jobs: MaintenanceJob[]) => jobs,
    },
    { provide: BLOCKED_JOBS, useClass: BudgetBlockedJobs },
    { provide: ParserRegistry, useFactory: createParserRegistry },
    {
      provide: DELIVERY,
      inject: [PROCESSING_OPTIONS, RedisConnections, LANE_QUEUES],
      useFactory: (
        { concurrency }: ProcessingOptions,
        redis: RedisConnections,
        queues: LaneQueues,
      ): Delivery =>
        redis.configured ? new BullDelivery(redis, queues, concurrency) : new InProcessDelivery(concurrency),
    },
  ],
  exports: [
    BLOCKED_JOBS,
    BullDeliveryModule,
    CallPreparer,
    DELIVERY,
    JobAnswerer,
    JobControl,
    JobQueries,
    JobRunner,
    JobStore,
    KeyPauses,
    Maintenance,
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
