import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { NotFoundError } from '#libs/common';
import {
  PIPELINE_SCHEMAS,
  RECORD_SCANNER,
  type HostRecord,
  type PipelineSchemas,
  type Principal,
  type RecordScanner,
} from '#libs/host';
import { TenantSettingsStore, TenantTransactions } from '#libs/tenants';
import { CompiledConfigs } from '../config/compiled-configs.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import type { AiValueState } from '../values/derive-state.js';
import { recordsWithFallback } from '../values/value-row.js';
import { AiValueViews } from '../values/value-views.js';
import { ValueSight } from '../visibility/value-sight.js';
import { requireFields } from './check-filter.js';
import { SCOPE_STATES, type RunRequest } from './run-request.js';

/** Records of one page whose value is in the scope. */
export interface RunPage {
  compiled: CompiledPipeline;
  records: HostRecord[];
  /** Where the next page starts; undefined after the last. */
  next: string | undefined;
}

/** States of a value that nothing is due for and that no person wrote. */
const SETTLED: readonly AiValueState[] = ['ready', 'stale'];
const NONE: ReadonlySet<string> = new Set();

/** Records looked at, and jobs made, in one transaction. */
const PAGE = 500;

/** Finds the records that a run is about. */
@Injectable()
export class RunRecords {
  // The collaborators are what the state of a value is read from.
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    @Inject(RECORD_SCANNER) private readonly scanner: RecordScanner,
    private readonly tenants: TenantTransactions,
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
    private readonly views: AiValueViews,
    private readonly sights: ValueSight,
  ) {}

  /**
   * The pipeline of a request that the principal may make.
   *
   * @throws NotFoundError; FieldNotVisibleError, 403, for a field that they may not see or look by; InvalidInputError for a
   * filter by what is no field.
   */
  async requested(em: EntityManager, principal: Principal, request: RunRequest): Promise<CompiledPipeline> {
    const compiled = await this.compiled(em, principal.tenantId, request);
    const { pipeline } = compiled;
    // The field too: how many values are in a scope tells of those that are hidden.
    await this.sights.requireFilter(em, principal, pipeline, [
      request.field,
      ...Object.keys(request.filter ?? {}),
    ]);
    requireFields(pipeline, principal, request.filter);
    return compiled;
  }

  /** The same, whoever asks. @throws NotFoundError where it or the AI field is not there. */
  async compiled(
    em: EntityManager,
    tenantId: string,
    { pipelineId, field }: RunRequest,
  ): Promise<CompiledPipeline> {
    const pipeline = await this.schemas.read(em, tenantId, pipelineId);
    if (!pipeline) throw new NotFoundError('pipeline', pipelineId);
    const compiled = await this.configs.of(em, tenantId, pipeline, await this.settings.read(em, tenantId));
    if (!compiled.fields.has(field)) throw new NotFoundError('AI field', field);
    return compiled;
  }

  /**
   * One page of records after the cursor, without those whose value is not in the scope.
   *
   * @param left how many are wanted still; a page that has them all is the last.
   * @throws NotFoundError
   */
  async page(
    em: EntityManager,
    tenantId: string,
    request: RunRequest,
    after: string | undefined,
    left: number,
  ): Promise<RunPage> {
    const compiled = await this.compiled(em, tenantId, request);
    const { pipelineId, filter } = request;
    const page = await this.scanner.scan(em, tenantId, pipelineId, { after, limit: PAGE, filter });
    const matching = await this.matching(em, tenantId, compiled, request, page.records);
    const records = matching.slice(0, left);
    return { compiled, records, next: records.length < left ? page.next : undefined };
  }

  /** Shows the records of a request to a visitor that only reads, page by page, each page in a transaction of its own. */
  async eachPage(
    tenantId: string,
    request: RunRequest,
    visit: (em: EntityManager, page: RunPage) => Promise<void>,
  ): Promise<void> {
    let left = request.limit ?? Number.MAX_SAFE_INTEGER;
    let after: string | undefined;
    do {
      const page: RunPage = await this.tenants.transaction(tenantId, async (em) => {
        const found = await this.page(em, tenantId, request, after, left);
        if (found.records.length > 0) await visit(em, found);
        return found;
      });
      left -= page.records.length;
      after = page.next;
    } while (after !== undefined);
  }

  private async matching(
    em: EntityManager,
    tenantId: string,
    compiled: CompiledPipeline,
    { field, scope }: RunRequest,
    records: HostRecord[],
  ): Promise<HostRecord[]> {
    const states = SCOPE_STATES[scope];
    if (!states || records.length === 0) return records;
    const views = await this.views.describeCompiled(em, tenantId, compiled, records);
    const ids = records.map(({ id }) => id);
    const unmade = scope === 'empty' ? await recordsWithFallback(em, tenantId, field, ids) : NONE;
    return records.filter(({ id }) => {
      const state = views.get(id)?.[field]?.state ?? 'empty';
      return states.includes(state) || (unmade.has(id) && SETTLED.includes(state));
    });
  }
}
