import type { Json } from '#libs/common';
import type { EntityManager } from 'typeorm';
import type { HostPipeline, HostRecord } from './fields.js';

/** Who acts: a user of the host, or the tenant's service principal. */
export interface Principal {
  tenantId: string;
  id: string;
  /** What people call it; `{current_user}` in a prompt. */
  name: string;
  roles: string[];
}

/** The id of the principal that automation runs as, in every tenant. */
export const SERVICE_PRINCIPAL_ID = 'service';

/** Records of the host. Every method works inside the transaction of the given manager, whose tenant is set. */
export interface RecordStore {
  /** The record as it is now, or undefined where it is gone. `lock` keeps others from changing it until the commit. */
  read(
    em: EntityManager,
    tenantId: string,
    recordId: string,
    options?: { lock?: boolean },
  ): Promise<HostRecord | undefined>;
  /**
   * Writes one value of one record and nothing else: no other key, not the record's version.
   * False where the record or the field is gone.
   */
  storeValue(
    em: EntityManager,
    tenantId: string,
    recordId: string,
    field: string,
    value: Json,
  ): Promise<boolean>;
}

/** Nest token of the {@link RecordStore}. */
export const RECORD_STORE = Symbol('RECORD_STORE');

export interface RecordPage {
  records: HostRecord[];
  /** Where the next page starts; undefined after the last. */
  next?: string;
}

/** Reading many records, for generation over a pipeline. */
export interface RecordScanner {
  /**
   * Records of a pipeline in a stable order, at most `limit` of them, after the cursor.
   * `filter` names fields and the values they must equal.
   */
  scan(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    page: { after?: string; limit: number; filter?: Record<string, Json> },
  ): Promise<RecordPage>;
}

/** Nest token of the {@link RecordScanner}. */
export const RECORD_SCANNER = Symbol('RECORD_SCANNER');

/** Pipelines of the host. */
export interface PipelineSchemas {
  /** The ids of all pipelines of the tenant. */
  ids(em: EntityManager, tenantId: string): Promise<string[]>;
  /** The pipeline with its fields, or undefined where it is gone. */
  read(em: EntityManager, tenantId: string, pipelineId: string): Promise<HostPipeline | undefined>;
  /** Names for `{tenant_name}` and `{current_user}`; a missing user has an empty name. */
  names(em: EntityManager, tenantId: string, principalId: string): Promise<{ tenant: string; user: string }>;
}

/** Nest token of the {@link PipelineSchemas}. */
export const PIPELINE_SCHEMAS = Symbol('PIPELINE_SCHEMAS');
