import type { Principal } from '#libs/host';
import type { Action, Subject } from './rules.js';

/** One thing an endpoint needs; of several, any one is enough. */
export interface Need {
  action: Action;
  subject: Subject;
}

export const NEEDS = Symbol('NEEDS');
export const PUBLIC = Symbol('PUBLIC');

/** A request after the host has told who sends it. */
export interface PrincipalRequest {
  principal?: Principal;
  /** Whether the principal would still be let in, for answers that last; a host that leaves it out never takes anybody's access. */
  isStillSignedIn?: () => Promise<boolean>;
}
