import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { GenerationRuns } from '#libs/ai-fields';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { Accounts, WrongCredentialsError, type SignedIn } from '../auth/accounts.js';
import { RecordImporter } from '../crm/import/record-importer.js';
import { PipelineAdmin } from '../crm/pipelines/pipeline-admin.js';
import { DEMO_PIPELINE } from './demo-pipeline.js';

/** The sign-in of the demo tenant, printed at every start that has one. */
export const DEMO_SIGN_IN = { email: 'demo@example.com', password: 'fieldsmith-demo' } as const;

const COMPANIES = fileURLToPath(new URL('./sp500-companies.csv', import.meta.url));
/** Records whose AI values are generated at once; the rest on demand. */
const GENERATED = 20;
/** Any constant will do, as long as every process of the product uses the same one. */
const SEED_LOCK = 5_118_204_772;

/**
 * Makes a demo tenant on real input: the companies of the S&P 500, imported through the same import as anybody's. A seed
 * that was killed half-way is begun again; one that is complete is left alone. Of processes that start together one seeds.
 */
@Injectable()
export class DemoSeed {
  private readonly logger = new Logger(DemoSeed.name);

  // The collaborators are the product's own ways in.
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly accounts: Accounts,
    private readonly pipelines: PipelineAdmin,
    private readonly importer: RecordImporter,
    private readonly runs: GenerationRuns,
    private readonly tenants: TenantTransactions,
  ) {}

  /** @returns whether there is a demo tenant to sign in to; false where its password was changed. */
  async ensure(): Promise<boolean> {
    const lock = this.dataSource.createQueryRunner();
    try {
      await lock.query('SELECT pg_advisory_lock($1)', [SEED_LOCK]);
      return await this.ensureAlone();
    } finally {
      await lock.query('SELECT pg_advisory_unlock($1)', [SEED_LOCK]).catch(() => undefined);
      await lock.release();
    }
  }

  private async ensureAlone(): Promise<boolean> {
    const account = await this.signIn();
    if (!account) return false;
    const { tenant, user } = account;
    const principal: Principal = { tenantId: tenant.id, id: user.id, name: user.email, roles: [user.role] };
    if (!(await this.isComplete(principal.tenantId))) await this.seed(principal);
    return true;
  }

  private async signIn(): Promise<SignedIn | undefined> {
    const { email, password } = DEMO_SIGN_IN;
    try {
      return await this.accounts.login(email, password);
    } catch (error) {
      if (!(error instanceof WrongCredentialsError)) throw error;
    }
    try {
      return await this.accounts.register('Demo', email, password);
    } catch (error) {
      this.logger.log(`The demo tenant has another password by now: ${(error as Error).message}`);
      return undefined;
    }
  }

  private isComplete(tenantId: string): Promise<boolean> {
    return this.tenants.transaction(tenantId, async (em) => {
      const sql = 'SELECT FROM tenants WHERE tenant_id = $1 AND demo_seeded_at IS NOT NULL';
      return (await em.query<unknown[]>(sql, [tenantId])).length > 0;
    });
  }

  private async seed(principal: Principal): Promise<void> {
    const { tenantId } = principal;
    // What a seed that was killed has left; pipelines that somebody added since stay.
    for (const { id, slug } of await this.pipelines.list(tenantId, '', 200)) {
      if (slug === DEMO_PIPELINE.slug) await this.pipelines.remove(principal, String(id));
    }
    const pipeline = await this.pipelines.add(principal, DEMO_PIPELINE);
    const id = String(pipeline.id);
    const { imported } = await this.importer.run(principal, id, createReadStream(COMPANIES), {
      generate: false,
    });
    for (const field of ['summary', 'sales_desk']) {
      await this.runs.start(principal, { pipelineId: id, field, scope: 'empty', limit: GENERATED });
    }
    await this.tenants.transaction(tenantId, (em) =>
      em.query('UPDATE tenants SET demo_seeded_at = now() WHERE tenant_id = $1', [tenantId]),
    );
    this.logger.log(
      `The demo tenant has ${imported} companies; the first ${GENERATED} get their AI values now.`,
    );
  }
}
