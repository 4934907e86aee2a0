import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { AccountingOptions } from '#libs/accounting';
import type { LlmOptions } from '#libs/llm';
import type { ProcessingOptions } from '#libs/processing';
import type { TenantsOptions } from '#libs/tenants';

/** Everything the plugin needs to know from its host. */
export interface FieldsmithOptions {
  tenants: TenantsOptions;
  llm: LlmOptions;
  accounting?: AccountingOptions;
  processing: ProcessingOptions;
  operations?: OperationsOptions;
}

/** How the installation is watched. */
export interface OperationsOptions {
  /** What scrapers of `/metrics` must send as a Bearer token; default: anybody may read them. */
  metricsToken?: string;
}

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: FIELDSMITH_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<FieldsmithOptions>().setClassMethodName('forRoot').build();
