export { canonicalJson, hashOf, type Json } from './canonical-json.js';
export { CLOCK, systemClock, type Clock } from './clock.js';
export { csvFile } from './csv-file.js';
export { csvRow } from './csv-row.js';
export {
  FieldsmithError,
  InvalidInputError,
  NotFoundError,
  type ErrorDetail,
  type ErrorOptions,
} from './errors.js';
export { firstIdOf, isId, newId, timeOfId } from './ids.js';
export { IsInstant, readInstant } from './instant.js';
export { IsCents } from './is-cents.js';
export { briefError, loggableError, type LoggableError } from './loggable-error.js';
export { Metrics } from './metrics.js';
export { storableJson, storableText } from './storable.js';
export {
  MAX_CENTS,
  NANO_PER_CENT,
  NANO_PER_USD,
  centsProblem,
  centsToNano,
  nanoToCents,
  nanoToUsd,
} from './money.js';
