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
export { firstIdOf, isId, newId } from './ids.js';
export { briefError, loggableError, type LoggableError } from './loggable-error.js';
export { Metrics } from './metrics.js';
export { storableJson, storableText } from './storable.js';
export { NANO_PER_CENT, NANO_PER_USD, centsToNano, nanoToCents, nanoToUsd } from './money.js';
