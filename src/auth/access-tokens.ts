import { hkdfSync } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { jwtVerify, SignJWT } from 'jose';
import { CLOCK, type Clock } from '#libs/common';
import { TENANTS_OPTIONS, type TenantsOptions } from '#libs/tenants';

const LIFETIME_SECONDS = 7 * 24 * 3600;
const ISSUER = 'fieldsmith';

/** What a token says. It is good only while the user's token version is this one. */
export interface TokenClaims {
  tenantId: string;
  userId: string;
  tokenVersion: number;
}

/**
 * Signs and reads the tokens people send: JWTs, HS256, for 7 days, under a key derived from the master key. Tokens of
 * before a rotation are good as long as the older key is known.
 */
@Injectable()
export class AccessTokens {
  /** The one that signs first. */
  private readonly keys: readonly [Uint8Array, ...Uint8Array[]];

  constructor(
    @Inject(TENANTS_OPTIONS)
    { masterKey, previousMasterKeys = [] }: Pick<TenantsOptions, 'masterKey' | 'previousMasterKeys'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.keys = [keyOf(masterKey), ...previousMasterKeys.map(keyOf)];
  }

  sign({ tenantId, userId, tokenVersion }: TokenClaims): Promise<string> {
    const now = Math.floor(this.clock.now().getTime() / 1000);
    return new SignJWT({ tid: tenantId, tv: tokenVersion })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(userId)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFETIME_SECONDS)
      .sign(this.keys[0]);
  }

  /** What the token says, or undefined where it is not ours, was changed or has run out. */
  async read(token: string): Promise<TokenClaims | undefined> {
    for (const key of this.keys) {
      const claims = await this.readUnder(key, token);
      if (claims) return claims;
    }
    return undefined;
  }

  private async readUnder(key: Uint8Array, token: string): Promise<TokenClaims | undefined> {
    try {
      const options = { algorithms: ['HS256'], issuer: ISSUER, currentDate: this.clock.now() };
      const { payload } = await jwtVerify<{ tid: string; tv: number }>(token, key, options);
      const { sub, tid, tv } = payload;
      return typeof sub === 'string' && typeof tid === 'string' && typeof tv === 'number'
        ? { tenantId: tid, userId: sub, tokenVersion: tv }
        : undefined;
    } catch {
      // Whatever is wrong with a token, it is no token.
      return undefined;
    }
  }
}

function keyOf(masterKey: Buffer): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', masterKey, '', 'fieldsmith access tokens', 32));
}
