import type { Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AbilityGuard } from '#libs/access';
import { ProblemFilter } from './problem.filter.js';
import { validationPipe } from './validation-pipe.js';

/**
 * What every request to Fieldsmith goes through: the guard that closes whatever a role may not do and what says nothing of
 * roles, the pipe that checks each input against its DTO, and the filter that answers errors as problems. A host lists them
 * after the guard of its own that puts the principal on the request.
 *
 * @example
 * providers: [{ provide: APP_GUARD, useClass: MyAuthGuard }, ...HTTP_PROVIDERS]
 */
export const HTTP_PROVIDERS: Provider[] = [
  { provide: APP_GUARD, useClass: AbilityGuard },
  { provide: APP_PIPE, useFactory: validationPipe },
  { provide: APP_FILTER, useClass: ProblemFilter },
];
