import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { PrincipalRequest } from '#libs/access';
import { Accounts } from './accounts.js';

/**
 * Tells who sends a request, from its Bearer token. A token that is not good counts as none: the `AbilityGuard` that
 * follows answers 401 wherever somebody is needed, and public endpoints work whatever an old client sends along.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(private readonly accounts: Accounts) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request & PrincipalRequest>();
    const token = bearerToken(request.headers.authorization);
    if (!token) return true;
    request.principal = await this.accounts.principalOf(token);
    request.isStillSignedIn = async () => (await this.accounts.principalOf(token)) !== undefined;
    return true;
  }
}

function bearerToken(header: string | undefined): string | undefined {
  const [scheme, token] = header?.split(' ') ?? [];
  return scheme?.toLowerCase() === 'bearer' ? token : undefined;
}
