import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { LlmOptions } from '#libs/llm';
import type { ProcessingOptions } from '#libs/processing';
import type { TenantsOptions } from '#libs/tenants';

/** Everything the plugin needs to know from its host. */
export interface FieldsmithOptions {
  tenants: TenantsOptions;
  llm: LlmOptions;
  processing: ProcessingOptions;
}

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: FIELDSMITH_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<FieldsmithOptions>().setClassMethodName('forRoot').build();
