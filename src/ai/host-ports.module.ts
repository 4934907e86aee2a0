import { Global, Module } from '@nestjs/common';
import { PIPELINE_SCHEMAS, RECORD_SCANNER, RECORD_STORE } from '#libs/host';
import { CrmStorageModule } from '../crm/crm-storage.module.js';
import { CrmPipelineSchemas } from './crm-pipeline-schemas.js';
import { CrmRecordScanner } from './crm-record-scanner.js';
import { CrmRecordStore } from './crm-record-store.js';

/** Gives the plugin this host's records and pipelines. */
@Global()
@Module({
  imports: [CrmStorageModule],
  providers: [
    { provide: RECORD_STORE, useClass: CrmRecordStore },
    { provide: RECORD_SCANNER, useClass: CrmRecordScanner },
    { provide: PIPELINE_SCHEMAS, useClass: CrmPipelineSchemas },
  ],
  exports: [RECORD_STORE, RECORD_SCANNER, PIPELINE_SCHEMAS],
})
export class HostPortsModule {}
