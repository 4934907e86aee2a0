export { DELIVERY, type Delivery } from './delivery/delivery.js';
export { QUEUE_NAMES } from './delivery/bull/lane-queues.js';
export { RedisConnections } from './delivery/bull/redis-connections.js';
export {
  LANE,
  MAX_DEPTH,
  PRIORITIES,
  type ClaimedJob,
  type JobHint,
  type JobOrigin,
  type JobOutcome,
  type JobStatus,
  type Lane,
  type NewJob,
  type Priority,
} from './jobs/job.js';
export { JobControl } from './jobs/job-control.js';
export { JobQueries, type JobFilter, type JobPage } from './jobs/job-queries.js';
export { JobStore, type JobEnd, type RecordedCalls } from './jobs/job-store.js';
export { Maintenance, type MaintenanceReport } from './maintenance/maintenance.js';
export { ParseError, type Parser, type ParserOptions } from './parsers/parser.js';
export { ParserRegistry } from './parsers/parser-registry.js';
export {
  INPUTS_WITHDRAWN,
  JobCancelled,
  JobDiscarded,
  JobSkipped,
  type AiProcess,
  type Concealed,
  type PromptedCall,
  type ShownJob,
  type StoredResult,
} from './pipeline/ai-process.js';
export { JobAnswerer, type AnsweredJob, type AttemptCalls } from './pipeline/answer-job.js';
export { databaseCode } from './pipeline/database-code.js';
export { executionRow, type CallingJob } from './pipeline/execution.js';
export { KeyPauses } from './pipeline/key-pauses.js';
export { holdBoundsOf } from './pipeline/hold-bounds.js';
export { CallPreparer, type PreparedCall } from './pipeline/prepare-call.js';
export { ProcessRegistry } from './pipeline/process-registry.js';
export { PROCESSING_OPTIONS, type ProcessingOptions } from './processing.options.js';
export { ProcessingModule } from './processing.module.js';
