export {
  FIELD_TYPES,
  type FieldOptions,
  type FieldType,
  type HostField,
  type HostPipeline,
  type HostRecord,
} from './fields.js';
export {
  PIPELINE_SCHEMAS,
  RECORD_SCANNER,
  RECORD_STORE,
  SERVICE_PRINCIPAL_ID,
  type PipelineSchemas,
  type Principal,
  type RecordPage,
  type RecordScanner,
  type RecordStore,
} from './ports.js';
