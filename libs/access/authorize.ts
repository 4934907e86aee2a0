import {
  applyDecorators,
  createParamDecorator,
  SetMetadata,
  UseGuards,
  type ExecutionContext,
} from '@nestjs/common';
import type { Principal } from '#libs/host';
import { AbilityGuard } from './ability.guard.js';
import { NEEDS, PUBLIC, type Need, type PrincipalRequest } from './needs.js';
import type { Action, Subject } from './rules.js';

/**
 * Says what an endpoint needs, and has it asked for: also in a host that forgot to list the guard for everything. More than
 * one need means: any of them.
 *
 * @example
 * @Authorize('read', 'Job')
 * @Get(':id')
 */
export function Authorize(action: Action, ...subjects: Subject[]): MethodDecorator & ClassDecorator {
  const needs = subjects.map((subject): Need => ({ action, subject }));
  return applyDecorators(SetMetadata(NEEDS, needs), UseGuards(AbilityGuard));
}

/** Marks an endpoint that needs no principal: sign-in, health. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC, true);

/** Parameter decorator: the {@link Principal} of the request. */
export const CurrentPrincipal = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<PrincipalRequest>();
  if (!principal) throw new Error('CurrentPrincipal on an endpoint without a principal');
  return principal;
});
