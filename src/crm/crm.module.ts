import { Module, type OnModuleInit } from '@nestjs/common';
import { TenantSettingsStore } from '#libs/tenants';
import { CrmStorageModule } from './crm-storage.module.js';
import { ImportController } from './import/import.controller.js';
import { RecordImporter } from './import/record-importer.js';
import { FieldAdmin } from './pipelines/field-admin.js';
import { LabelWithdrawal } from './pipelines/label-withdrawal.js';
import { PipelineAdmin } from './pipelines/pipeline-admin.js';
import { PipelineViews } from './pipelines/pipeline-views.js';
import { PipelinesController } from './pipelines/pipelines.controller.js';
import { RecordReader } from './records/record-reader.js';
import { RecordViews } from './records/record-views.js';
import { RecordWriter } from './records/record-writer.js';
import { RecordsController } from './records/records.controller.js';

/** Pipelines, fields, records and CSV import. Expects the plugin's modules to be there globally. */
@Module({
  imports: [CrmStorageModule],
  controllers: [PipelinesController, RecordsController, ImportController],
  providers: [
    FieldAdmin,
    LabelWithdrawal,
    PipelineAdmin,
    PipelineViews,
    RecordImporter,
    RecordReader,
    RecordViews,
    RecordWriter,
  ],
  exports: [PipelineAdmin, RecordImporter],
})
export class CrmModule implements OnModuleInit {
  constructor(
    private readonly settings: TenantSettingsStore,
    private readonly labels: LabelWithdrawal,
  ) {}

  onModuleInit(): void {
    this.settings.follow((...change) => this.labels.settingsChanged(...change));
  }
}
