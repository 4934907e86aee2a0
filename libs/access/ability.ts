import { createMongoAbility } from '@casl/ability';
import type { Principal } from '#libs/host';
import { rulesOf, type Ability, type Rule } from './rules.js';

/** What this principal may do, by all of its roles together. */
export function abilityOf(principal: Pick<Principal, 'roles'>): Ability {
  return createMongoAbility<Ability>(principal.roles.flatMap(rulesOf));
}

/** The same as data, for a client that hides what cannot be done. */
export function abilitiesOf(principal: Pick<Principal, 'roles'>): Rule[] {
  return principal.roles.flatMap(rulesOf);
}
