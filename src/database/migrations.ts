import { Roles1700000000000 } from '../../migrations/1700000000000-roles.js';
import { TenantSettings1700000001000 } from '../../migrations/1700000001000-tenant-settings.js';
import { Events1700000002000 } from '../../migrations/1700000002000-events.js';
import { Accounting1700000003000 } from '../../migrations/1700000003000-accounting.js';
import { Processing1700000004000 } from '../../migrations/1700000004000-processing.js';
import { AiFields1700000005000 } from '../../migrations/1700000005000-ai-fields.js';
import { Host1700000006000 } from '../../migrations/1700000006000-host.js';
import { Operations1700000008000 } from '../../migrations/1700000008000-operations.js';
import { Delivery1700000009000 } from '../../migrations/1700000009000-delivery.js';
import { GenerationRuns1700000010000 } from '../../migrations/1700000010000-generation-runs.js';
import { ProviderKeys1700000011000 } from '../../migrations/1700000011000-provider-keys.js';
import { AuditLog1700000012000 } from '../../migrations/1700000012000-audit-log.js';
import { BudgetAlerts1700000013000 } from '../../migrations/1700000013000-budget-alerts.js';
import { RollUps1700000014000 } from '../../migrations/1700000014000-roll-ups.js';
import { FieldVisibility1700000015000 } from '../../migrations/1700000015000-field-visibility.js';
import type { MigrationClass } from './migrate.js';

/** Every migration, oldest first. */
export const MIGRATIONS: MigrationClass[] = [
  Roles1700000000000,
  TenantSettings1700000001000,
  Events1700000002000,
  Accounting1700000003000,
  Processing1700000004000,
  AiFields1700000005000,
  Host1700000006000,
  Operations1700000008000,
  Delivery1700000009000,
  GenerationRuns1700000010000,
  ProviderKeys1700000011000,
  AuditLog1700000012000,
  BudgetAlerts1700000013000,
  RollUps1700000014000,
  FieldVisibility1700000015000,
];
