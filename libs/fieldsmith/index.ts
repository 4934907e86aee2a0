export { FieldsmithModule } from './fieldsmith.module.js';
export type { FieldsmithOptions } from './fieldsmith.options.js';
export { ProblemFilter } from './problem.filter.js';
