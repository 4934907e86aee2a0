export { AbilityGuard } from './ability.guard.js';
export { abilitiesOf, abilityOf } from './ability.js';
export { Authorize, CurrentPrincipal, Public, type PrincipalRequest } from './authorize.js';
export { ROLES, rulesOf, type Ability, type Action, type Role, type Rule, type Subject } from './rules.js';
