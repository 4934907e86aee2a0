import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { KeepOn } from './maintenance-job.js';

const PAGE = 200;

/** Goes through the tenants that have anything which grows, so that their old work is seen to under their own rights. */
@Injectable()
export class EachTenant {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** @yields tenant ids; the lease of the run is kept before each. */
  async *ids(keepOn: KeepOn): AsyncGenerator<string> {
    for (let after = ''; ;) {
      const page = await this.dataSource.query<{ id: string }[]>('SELECT ai_known_tenants($1, $2) AS id', [
        after,
        PAGE,
      ]);
      for (const { id } of page) {
        await keepOn();
        yield id;
      }
      if (page.length < PAGE) return;
      after = page.at(-1)!.id;
    }
  }
}
