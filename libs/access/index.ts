export { AbilityGuard } from './ability.guard.js';
export { AccessModule } from './access.module.js';
export { abilitiesOf, abilityOf } from './ability.js';
export type { AuditedChange } from './audit/audit-entry.js';
export { AuditLog, type Watched } from './audit/audit-log.js';
export { Authorize, CurrentPrincipal, Public, type PrincipalRequest } from './authorize.js';
export { ROLES, rulesOf, type Ability, type Action, type Role, type Rule, type Subject } from './rules.js';
