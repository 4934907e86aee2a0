import { createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
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

/**
 * Says what an endpoint needs. More than one need means: any of them.
 *
 * @example
 * @Authorize('read', 'Job')
 * @Get(':id')
 */
export function Authorize(action: Action, ...subjects: Subject[]): MethodDecorator & ClassDecorator {
  return SetMetadata(
    NEEDS,
    subjects.map((subject): Need => ({ action, subject })),
  );
}

/** Marks an endpoint that needs no principal: sign-in, health. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC, true);

/** Parameter decorator: the {@link Principal} of the request. */
export const CurrentPrincipal = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<PrincipalRequest>();
  if (!principal) throw new Error('CurrentPrincipal on an endpoint without a principal');
  return principal;
});
