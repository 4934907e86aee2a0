import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

const MONTHS_AHEAD = 3;

/** The partitions of the ledger. */
@Injectable()
export class LedgerMonths {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Makes those of this month and the months ahead that are missing. @returns how many it made. */
  async ensure(): Promise<number> {
    const [row] = await this.dataSource.query<{ made: number }[]>(
      'SELECT ai_ensure_ledger_months(current_date, $1) AS made',
      [MONTHS_AHEAD],
    );
    return row!.made;
  }
  /**
   * Drops the oldest month if it is more than so many months before this one, rolled up, and without a hold.
   *
   * @returns whether it did; where somebody works with the ledger just then, it does not.
   */
  async dropOldest(keepMonths: number): Promise<boolean> {
    const [row] = await this.dataSource.query<{ dropped: string | null }[]>(
      `SELECT ai_drop_ledger_month((date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => $1))::date) AS dropped`,
      [keepMonths],
    );
    return row!.dropped !== null;
  }
}
