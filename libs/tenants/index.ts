export { afterCommit, enableAfterCommit } from './after-commit.js';
export { checkIsolation } from './check-isolation.js';
export { NamedStatementClient, connectionExtras, type ConnectionExtras } from './named-client.js';
export { APP_ROLE, SYSTEM_ROLE, TENANT_SETTING } from './roles.js';
export { SecretBox, type SealedSecret } from './secret-box.js';
export { TenantSettingsStore } from './tenant-settings.js';
export { TenantTransactions } from './tenant-transactions.js';
export { TenantsModule } from './tenants.module.js';
export { TENANTS_OPTIONS, type TenantSettings, type TenantsOptions } from './tenants.options.js';
