import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { enableAfterCommit } from './after-commit.js';
import { checkIsolation } from './check-isolation.js';
import { SecretBox } from './secret-box.js';
import { TenantSettingsStore } from './tenant-settings.js';
import { TenantTransactions } from './tenant-transactions.js';
import { TENANTS_OPTIONS, type TenantsOptions } from './tenants.options.js';

/**
 * Tenant context, settings and secrets; expects `TENANTS_OPTIONS` and the default TypeORM data source.
 * Stops the start where the database would not keep tenants apart.
 */
@Global()
@Module({
  providers: [
    {
      provide: SecretBox,
      inject: [TENANTS_OPTIONS],
      useFactory: ({ masterKey, previousMasterKeys }: TenantsOptions) =>
        new SecretBox(masterKey, previousMasterKeys),
    },
    TenantTransactions,
    TenantSettingsStore,
  ],
  exports: [SecretBox, TenantTransactions, TenantSettingsStore],
})
export class TenantsModule implements OnModuleInit {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async onModuleInit(): Promise<void> {
    enableAfterCommit(this.dataSource);
    await checkIsolation(this.dataSource);
  }
}
