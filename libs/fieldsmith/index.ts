export { FieldsmithModule } from './fieldsmith.module.js';
export type { FieldsmithOptions, OperationsOptions } from './fieldsmith.options.js';
export { httpMetrics } from './metrics/http-metrics.js';
export { isStorable } from './http/body-guard.js';
export { HTTP_PROVIDERS } from './http/http-providers.js';
export { ProblemFilter } from './http/problem.filter.js';
export { markUnreadBody } from './http/unread-body.js';
export { validationPipe } from './http/validation-pipe.js';
