export { FieldsmithModule } from './fieldsmith.module.js';
export type { FieldsmithOptions, OperationsOptions } from './fieldsmith.options.js';
export { httpMetrics } from './metrics/http-metrics.js';
export { ProblemFilter } from './problem.filter.js';
