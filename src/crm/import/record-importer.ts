import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { RecordChangeListener, ValueReaders, ValueSight } from '#libs/ai-fields';
import { FieldsmithError, InvalidInputError, NotFoundError, type Json } from '#libs/common';
import { EventLog } from '#libs/events';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { writableFields, type CrmField, type Pipeline } from '../pipelines/pipeline.js';
import { PipelineCatalog } from '../pipelines/pipeline-catalog.js';
import { insertRecords } from '../records/insert-records.js';
import { recordEvent } from '../records/record-event.js';
import { missingTargets } from '../records/relation-targets.js';
import { cellReader } from './cell-reader.js';
import { csvRows, type CsvRow } from './csv-rows.js';
import { readHeader } from './header.js';
import { ImportReport, type ImportResult } from './import-report.js';
import { readRow } from './read-row.js';

/** Rows of one transaction; fewer where they are long. */
const BATCH_ROWS = 500;
const BATCH_CHARS = 8_000_000;

export interface ImportOptions {
  /** Whether the AI fields of the new records are queued too. */
  generate: boolean;
  /** Whether the principal would still be let in, asked before each transaction; left out: always. */
  isStillSignedIn?: () => Promise<boolean>;
}

/** What an import goes by from its header on. */
interface Table extends ImportOptions {
  principal: Principal;
  pipelineId: string;
  /** Slugs, in the order of the columns. */
  columns: string[];
  report: ImportReport;
}

interface GoodRow {
  line: number;
  values: Record<string, Json>;
}

/**
 * Imports a table row by row as it arrives, in transactions of 500 rows. A bad line rejects only that line. What stops
 * an import, a malformed file or the sender going away or losing access, leaves the transactions before it as they are.
 */
@Injectable()
export class RecordImporter {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly catalog: PipelineCatalog,
    private readonly listener: RecordChangeListener,
    private readonly events: EventLog,
    private readonly sights: ValueSight,
    private readonly readers: ValueReaders,
  ) {}

  /**
   * @throws InvalidInputError or FieldNotVisibleError for the header, before any row; FieldsmithError `csv_malformed`, 422, or
   * `unauthenticated`, 401, with the number of rows imported before; NotFoundError for the pipeline.
   */
  async run(
    principal: Principal,
    pipelineId: string,
    csv: Readable,
    options: ImportOptions,
  ): Promise<ImportResult> {
    const report = new ImportReport();
    const rows = csvRows(csv);
    try {
      const columns = await this.readHeader(principal, pipelineId, rows);
      await this.readRows({ ...options, principal, pipelineId, columns, report }, rows);
    } catch (error) {
      throw report.imported > 0 ? stoppedAfter(report.imported, error) : error;
    } finally {
      await rows.return(undefined);
    }
    return report.result();
  }

  private async readHeader(
    principal: Principal,
    pipelineId: string,
    rows: ReturnType<typeof csvRows>,
  ): Promise<string[]> {
    const { tenantId } = principal;
    const read = (em: EntityManager) => this.catalog.find(em, tenantId, pipelineId);
    const pipeline = await this.tenants.transaction(tenantId, read);
    if (!pipeline) throw new NotFoundError('pipeline', pipelineId);
    const { value: first } = await rows.next();
    if (first && 'cells' in first) {
      const columns = readHeader(pipeline.fields, first.cells);
      await this.tenants.transaction(tenantId, (em) =>
        this.sights.requireWritable(em, principal, pipeline, columns),
      );
      return columns;
    }
    const message = first
      ? 'The quote in the first line is never closed.'
      : 'The file is empty: send a header line first.';
    throw new InvalidInputError([{ path: 'header', message }]);
  }

  private async readRows(table: Table, rows: ReturnType<typeof csvRows>): Promise<void> {
    let batch: CsvRow[] = [];
    let chars = 0;
    let unclosed: number | undefined;
    for await (const row of rows) {
      if ('unclosedFrom' in row) {
        unclosed = row.unclosedFrom;
        continue;
      }
      batch.push(row);
      chars += row.cells.reduce((sum, cell) => sum + cell.length, 0);
      if (batch.length < BATCH_ROWS && chars < BATCH_CHARS) continue;
      await this.save(table, batch);
      [batch, chars] = [[], 0];
    }
    if (batch.length > 0) await this.save(table, batch);
    if (unclosed !== undefined) {
      table.report.reject(unclosed, [{ path: '', message: 'The quote is never closed.' }]);
    }
  }

  private async save(table: Table, batch: CsvRow[]): Promise<void> {
    const { principal, pipelineId, report } = table;
    const { tenantId } = principal;
    await requireSignedIn(table);
    const rejected = new ImportReport();
    const imported = await this.tenants.transaction(tenantId, async (em) => {
      const pipeline = await this.catalog.forWriting(em, tenantId, pipelineId);
      const rows = await this.goodRows(em, table, pipeline, batch, rejected);
      if (rows.length > 0) await this.insert(em, table, pipeline, rows);
      return rows.length;
    });
    report.add(imported, rejected);
  }

  private async goodRows(
    em: EntityManager,
    { principal: { tenantId, roles }, columns }: Table,
    pipeline: Pipeline,
    batch: CsvRow[],
    rejected: ImportReport,
  ): Promise<GoodRow[]> {
    const fields = writableFields(pipeline, roles);
    requireColumns(fields, columns);
    const readCell = await cellReader(this.readers, em, tenantId, pipeline, columns);
    const read = batch.flatMap(({ line, cells }): GoodRow[] => {
      const row = readRow(fields, columns, cells, readCell);
      if ('values' in row) return [{ line, values: row.values }];
      rejected.reject(line, row.errors);
      return [];
    });
    const missing = await missingTargets(
      em,
      tenantId,
      pipeline,
      read.map(({ values }) => ({ given: values })),
    );
    missing.forEach((errors, index) => rejected.reject((read[index] as GoodRow).line, errors));
    return read.filter((_, index) => !missing.has(index));
  }

  private async insert(em: EntityManager, table: Table, pipeline: Pipeline, rows: GoodRow[]): Promise<void> {
    const { principal, generate } = table;
    const { tenantId } = principal;
    const added = await insertRecords(
      em,
      tenantId,
      pipeline.id,
      rows.map(({ values }) => values),
    );
    const changes = added.map(({ id, data }) => ({
      pipelineId: pipeline.id,
      pipelineVersion: pipeline.version,
      recordId: id,
      created: true,
      changed: data,
      origin: 'import' as const,
      generate,
    }));
    await this.listener.recordsSaved(em, principal, changes);
    const payload = { pipeline_id: pipeline.id, count: added.length };
    await recordEvent(this.events, em, tenantId, { type: 'records.imported', payload });
  }
}

/** The user may be removed, or their token revoked, while a long import runs. */
async function requireSignedIn({ isStillSignedIn }: ImportOptions): Promise<void> {
  if (!isStillSignedIn || (await isStillSignedIn())) return;
  const message = 'Your access ended while the import ran: sign in again.';
  throw new FieldsmithError('unauthenticated', message, { status: 401 });
}

/** The fields may change while a long import runs. */
function requireColumns(fields: readonly CrmField[], columns: string[]): void {
  const gone = columns.filter((slug) => !fields.some((field) => field.slug === slug));
  if (gone.length === 0) return;
  const message = `Fields of the import were removed while it ran: ${gone.join(', ')}.`;
  throw new FieldsmithError('pipeline_changed', message, { status: 409 });
}

function stoppedAfter(imported: number, error: unknown): unknown {
  if (!(error instanceof FieldsmithError)) return error;
  const message = `${error.message} ${imported} rows were imported before.`;
  return new FieldsmithError(error.code, message, {
    status: error.status,
    errors: error.errors,
    cause: error,
  });
}
