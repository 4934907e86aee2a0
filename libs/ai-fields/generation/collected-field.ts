import type { HostRecord } from '#libs/host';
import type { TenantSettings } from '#libs/tenants';
import type { CompiledField } from '../config/compile-field.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import type { ValueRow } from '../values/value-row.js';

/** What a generation was made from, read in the transaction of its claim. */
export interface CollectedField {
  compiled: CompiledPipeline;
  field: CompiledField;
  settings: TenantSettings;
  record: HostRecord;
  row: ValueRow | undefined;
  /** Fields left out of the prompt because their values are made from excluded ones. */
  left: ReadonlySet<string>;
  /** Fields that the prompt is made from, through AI values too. */
  sources: string[];
  names: { tenant: string; user: string };
  inputsHash: string;
}
