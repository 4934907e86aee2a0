export { AbilityGuard } from './ability.guard.js';
export { AccessModule } from './access.module.js';
export { abilityOf } from './ability.js';
export { accessibleRows, type SqlCondition } from './accessible-rows.js';
export type { AuditedChange } from './audit/audit-entry.js';
export { AuditLog, type Watched } from './audit/audit-log.js';
export { Authorize, CurrentPrincipal, Public } from './authorize.js';
export type { PrincipalRequest } from './needs.js';
export { ROLES, rulesFor, type Ability, type Action, type Role, type Rule, type Subject } from './rules.js';
export {
  fieldSight,
  FULL_SIGHT,
  seesEverything,
  unseenFields,
  type FieldSight,
  type GuardedField,
  type MadeFrom,
} from './visibility/field-sight.js';
export { FieldNotVisibleError, requireShown } from './visibility/field-not-visible.error.js';
