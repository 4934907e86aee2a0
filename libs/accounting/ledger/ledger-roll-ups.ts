import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { TenantTransactions } from '#libs/tenants';

/** Rows of one batch; its transaction holds nothing that a call waits for. */
const BATCH = 5_000;

/** Daily sums of the ledger: each row of it is in them once, or above the position of its tenant. */
@Injectable()
export class LedgerRollUps {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly tenants: TenantTransactions,
  ) {}

  /**
   * Rolls up the next rows of a tenant's ledger. Rows that a running transaction may still precede are left.
   *
   * @returns how many it took, and whether there is more.
   */
  async rollUp(tenantId: string): Promise<{ rows: number; more: boolean }> {
    const rows = await this.tenants.transaction(tenantId, async (em) => {
      const [row] = await em.query<{ rows: number }[]>('SELECT ai_roll_up_ledger($1, $2) AS rows', [
        tenantId,
        BATCH,
      ]);
      return row!.rows;
    });
    return { rows, more: rows >= BATCH };
  }

  /** Numbers the ledger anew where the database came from another cluster. @returns whether it had to. */
  async mendPositions(): Promise<boolean> {
    const [row] = await this.dataSource.query<{ mended: boolean }[]>(
      'SELECT ai_mend_ledger_positions() AS mended',
    );
    return row!.mended;
  }
}
