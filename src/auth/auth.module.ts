import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AbilityGuard } from '#libs/access';
import { CLOCK, systemClock } from '#libs/common';
import { ThrottleGuard } from '../throttle/throttle.guard.js';
import { AccessTokens } from './access-tokens.js';
import { Accounts } from './accounts.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { OwnPassword } from './own-password.js';
import { SignInThrottle } from './sign-in-throttle.js';
import { Users } from './users.js';
import { UsersController } from './users.controller.js';

/**
 * Sign-up, sign-in, users; and the three guards of every endpoint of the application: first who sends the request, then
 * whether that is one too many, then whether that principal may. Expects `TENANTS_OPTIONS`, the `TenantsModule` and the
 * `ThrottleModule`.
 */
@Module({
  controllers: [AuthController, UsersController],
  providers: [
    { provide: CLOCK, useValue: systemClock },
    AccessTokens,
    Accounts,
    OwnPassword,
    SignInThrottle,
    Users,
    { provide: APP_GUARD, useClass: AuthGuard },
    { provide: APP_GUARD, useClass: ThrottleGuard },
    { provide: APP_GUARD, useClass: AbilityGuard },
  ],
  exports: [Accounts],
})
export class AuthModule {}
