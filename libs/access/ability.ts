import { createMongoAbility } from '@casl/ability';
import type { Principal } from '#libs/host';
import { rulesFor, type Ability } from './rules.js';

/** What this principal may do, by all of its roles together. */
export function abilityOf(principal: Pick<Principal, 'id' | 'roles'>): Ability {
  return createMongoAbility<Ability>(rulesFor(principal));
}
