import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { DEFAULT_MODELS } from '#libs/accounting';
import { ProcessRegistry } from '#libs/processing';
import { TenantSettingsStore } from '#libs/tenants';
import { AiFieldConfigs } from './config/ai-field-configs.js';
import { ConfigChecker } from './config/check-config.js';
import { DefaultModelChecker } from './config/check-default-model.js';
import { CompiledConfigs } from './config/compiled-configs.js';
import { DeniedFields } from './config/denied-fields.js';
import { FieldPurge } from './config/field-purge.js';
import { GenerationQueue } from './generation/enqueue-due.js';
import { FieldGenerationProcess } from './generation/field-generation.process.js';
import { AiFieldsController } from './http/ai-fields.controller.js';
import { Drafts } from './http/drafts.js';
import { PipelineAiController } from './http/pipeline-ai.controller.js';
import { RecordAiController } from './http/record-ai.controller.js';
import { RecordChangeListener } from './record-change-listener.js';
import { GenerationRuns } from './runs/generation-runs.js';
import { RunEstimator } from './runs/run-estimate.js';
import { RunFiller } from './runs/run-filler.js';
import { RunRecords } from './runs/run-records.js';
import { RunResumer } from './runs/run-resumer.js';
import { ValueActions } from './values/value-actions.js';
import { AiValueEdits } from './values/value-edits.js';
import { ValueFinder } from './values/value-finder.js';
import { ValueReaders } from './values/value-readers.js';
import { AiValueViews } from './values/value-views.js';
import { RevealGuard } from './visibility/reveal-guard.js';
import { RunSight } from './visibility/run-sight.js';
import { ValueSight } from './visibility/value-sight.js';
import { WorkflowController } from './workflow/workflow.controller.js';
import { WorkflowNodeProcess } from './workflow/workflow-node.process.js';

/** AI fields; expects the host's `RECORD_STORE`, `RECORD_SCANNER` and `PIPELINE_SCHEMAS`. */
@Global()
@Module({
  controllers: [AiFieldsController, PipelineAiController, RecordAiController, WorkflowController],
  providers: [
    AiFieldConfigs,
    AiValueEdits,
    AiValueViews,
    CompiledConfigs,
    ConfigChecker,
    DeniedFields,
    Drafts,
    FieldGenerationProcess,
    FieldPurge,
    GenerationQueue,
    GenerationRuns,
    RecordChangeListener,
    RevealGuard,
    RunEstimator,
    RunFiller,
    RunRecords,
    RunResumer,
    RunSight,
    ValueActions,
    ValueFinder,
    ValueReaders,
    ValueSight,
    WorkflowNodeProcess,
    { provide: DEFAULT_MODELS, useClass: DefaultModelChecker },
  ],
  exports: [
    AiFieldConfigs,
    AiValueViews,
    DEFAULT_MODELS,
    GenerationRuns,
    RecordChangeListener,
    RevealGuard,
    ValueActions,
    ValueReaders,
    ValueSight,
  ],
})
export class AiFieldsModule implements OnModuleInit {
  constructor(
    private readonly processes: ProcessRegistry,
    private readonly generation: FieldGenerationProcess,
    private readonly workflow: WorkflowNodeProcess,
    private readonly settings: TenantSettingsStore,
    private readonly reveals: RevealGuard,
    private readonly denied: DeniedFields,
  ) {}

  onModuleInit(): void {
    this.processes.register(this.generation).register(this.workflow);
    this.settings.guard((...change) => this.reveals.requireSettings(...change));
    this.settings.follow((...change) => this.denied.settingsChanged(...change));
  }
}
