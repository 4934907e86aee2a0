import type { ExecutionContext } from '@nestjs/common';
import type { ThrottlerModuleOptions, ThrottlerStorage } from '@nestjs/throttler';
import type { Request } from 'express';
import type { PrincipalRequest } from '#libs/access';
import type { Principal } from '#libs/host';
import type { ThrottleConfig } from '../config/read-config.js';

/** What is throttled. What is asked for outside of it (health, metrics, documentation) must answer whatever goes on. */
const API_PATH = '/api/v1/';

/** What there is a limit for. */
export type ThrottleName = 'principal' | 'tenant' | 'address';

/** Which limit a count is for. */
export function nameOfKey(key: string): ThrottleName {
  return key.slice(0, key.indexOf(':')) as ThrottleName;
}

/**
 * Three limits: of each principal, of all principals of a tenant together, and of each network address where nobody is
 * signed in. A principal that is stopped is not counted for its tenant.
 */
export function throttlerOptions(config: ThrottleConfig, storage: ThrottlerStorage): ThrottlerModuleOptions {
  const ttl = config.windowSeconds * 1000;
  const limit = (perSecond: number) => perSecond * config.windowSeconds;
  return {
    storage,
    setHeaders: false,
    generateKey: (_context, tracker, name) => `${name}:${tracker}`,
    throttlers: [
      {
        name: 'principal',
        ttl,
        limit: limit(config.principalPerSecond),
        skipIf: (context) => principalOf(context) === undefined,
        getTracker: ({ principal }) => `${(principal as Principal).tenantId}:${(principal as Principal).id}`,
      },
      {
        name: 'tenant',
        ttl,
        limit: limit(config.tenantPerSecond),
        skipIf: (context) => principalOf(context) === undefined,
        getTracker: ({ principal }) => (principal as Principal).tenantId,
      },
      {
        name: 'address',
        ttl,
        limit: limit(config.addressPerSecond),
        skipIf: (context) => principalOf(context) !== undefined || !isApi(context),
      },
    ],
  };
}

function principalOf(context: ExecutionContext): Principal | undefined {
  return context.switchToHttp().getRequest<PrincipalRequest>().principal;
}

function isApi(context: ExecutionContext): boolean {
  return context.switchToHttp().getRequest<Request>().path.toLowerCase().startsWith(API_PATH);
}
