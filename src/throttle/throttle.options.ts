import type { ExecutionContext } from '@nestjs/common';
import type { ThrottlerModuleOptions } from '@nestjs/throttler';
import type { Request } from 'express';
import type { PrincipalRequest } from '#libs/access';
import type { Principal } from '#libs/host';
import type { ThrottleConfig } from '../config/read-config.js';
import type { RequestCounts } from './request-counts.js';

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
 * signed in. A principal that is stopped is not counted for its tenant, and
 * none is stopped for its tenant's sake below 100 requests a second of its own.
 */
export function throttlerOptions(config: ThrottleConfig, storage: RequestCounts): ThrottlerModuleOptions {
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
        getTracker: ({ principal }) => trackerOf(principal as Principal),
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

/** The key under which requests of the principal are counted; none where nobody is signed in. */
export function keyOfPrincipal(context: ExecutionContext): string | undefined {
  const principal = principalOf(context);
  return principal && `principal:${trackerOf(principal)}`;
}

function trackerOf({ tenantId, id }: Principal): string {
  return `${tenantId}:${id}`;
}

function principalOf(context: ExecutionContext): Principal | undefined {
  return context.switchToHttp().getRequest<PrincipalRequest>().principal;
}

function isApi(context: ExecutionContext): boolean {
  return context.switchToHttp().getRequest<Request>().path.toLowerCase().startsWith(API_PATH);
}
