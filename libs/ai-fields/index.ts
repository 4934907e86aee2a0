export { AiFieldsModule } from './ai-fields.module.js';
export type { AiConfig } from './config/ai-config.js';
export { AiFieldConfigs } from './config/ai-field-configs.js';
export { RecordChangeListener, type RecordChange, type TriggeredJob } from './record-change-listener.js';
export { GenerationRuns, type RunProgress } from './runs/generation-runs.js';
export type { RunRequest, RunScope } from './runs/run-request.js';
export { ValueActions } from './values/value-actions.js';
export { AiValueViews, showValues, type AiValueView, type ValueFacts } from './values/value-views.js';
export { subjectOf } from './generation/subject.js';
