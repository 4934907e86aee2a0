import type { ErrorDetail } from '#libs/common';

/** Rejected lines that are told in full. */
const MAX_TOLD = 1_000;

export interface RejectedLine {
  line: number;
  errors: ErrorDetail[];
}

/** What an import answers. */
export interface ImportResult {
  imported: number;
  rejected_count: number;
  /** The first 1,000. */
  rejected: RejectedLine[];
}

/** Counts what an import did; keeps the first thousand rejected lines, however many there are. */
export class ImportReport {
  imported = 0;
  private rejectedCount = 0;
  private readonly rejected: RejectedLine[] = [];

  reject(line: number, errors: ErrorDetail[]): void {
    this.rejectedCount += 1;
    if (this.rejected.length < MAX_TOLD) this.rejected.push({ line, errors });
  }

  /** Takes over what a transaction did, once it has committed. */
  add(imported: number, batch: ImportReport): void {
    this.imported += imported;
    this.rejectedCount += batch.rejectedCount;
    const inOrder = batch.rejected.toSorted((a, b) => a.line - b.line);
    this.rejected.push(...inOrder.slice(0, MAX_TOLD - this.rejected.length));
  }

  result(): ImportResult {
    return { imported: this.imported, rejected_count: this.rejectedCount, rejected: this.rejected };
  }
}
