import { Module } from '@nestjs/common';
import { PipelineCatalog } from './pipelines/pipeline-catalog.js';
import { RelationLabels } from './records/relation-labels.js';

/** How this host keeps pipelines and records; what the plugin's ports and the API have in common. */
@Module({
  providers: [PipelineCatalog, RelationLabels],
  exports: [PipelineCatalog, RelationLabels],
})
export class CrmStorageModule {}
