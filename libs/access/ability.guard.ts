import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { FieldsmithError } from '#libs/common';
import { abilityOf } from './ability.js';
import { NEEDS, PUBLIC, type Need, type PrincipalRequest } from './needs.js';

/**
 * Decides every request: an endpoint says what it needs with `@Authorize`, the roles of the principal say what it may.
 * An endpoint that says nothing is closed, so that a forgotten decorator shows at the first call.
 */
@Injectable()
export class AbilityGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC, targets)) return true;
    const { principal } = context.switchToHttp().getRequest<PrincipalRequest>();
    if (!principal)
      throw new FieldsmithError('unauthenticated', 'Sign in and send the token as a Bearer header.', {
        status: 401,
      });
    const needs = this.reflector.getAllAndOverride<Need[] | undefined>(NEEDS, targets) ?? [];
    const ability = abilityOf(principal);
    if (needs.some((need) => ability.can(need.action, need.subject))) return true;
    throw new FieldsmithError('forbidden', `Your role may not do this; it needs ${describe(needs)}.`, {
      status: 403,
    });
  }
}

function describe(needs: Need[]): string {
  if (needs.length === 0) return 'a permission nobody has';
  return needs.map((need) => `"${need.action}" on ${need.subject}`).join(' or ');
}
