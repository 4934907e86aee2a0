import { Body, Controller, Get, HttpCode, Ip, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Authorize, CurrentPrincipal, Public, rulesFor, type Rule } from '#libs/access';
import type { Principal } from '#libs/host';
import { Accounts, WrongCredentialsError, type SignedIn } from './accounts.js';
import { LoginDto, RegisterDto } from './dto/credentials.dto.js';
import { normalEmail } from './email.js';
import { SignInThrottle, TooManyAttemptsError } from './sign-in-throttle.js';

/** Who is signed in, for the console to show or hide actions. */
export interface Me {
  principal: { id: string; tenant_id: string; name: string };
  tenant: { id: string; name: string };
  role: string | undefined;
  abilities: Rule[];
}

@Controller('auth')
export class AuthController {
  constructor(
    private readonly accounts: Accounts,
    private readonly throttle: SignInThrottle,
  ) {}

  @Post('register')
  @Public()
  register(@Body() body: RegisterDto): Promise<SignedIn> {
    return this.accounts.register(body.tenant_name, body.email, body.password);
  }

  @Post('login')
  @Public()
  @HttpCode(200)
  async login(
    @Body() body: LoginDto,
    @Ip() address: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SignedIn> {
    const takeBack = this.beginAttempt(body.email, address, response);
    try {
      const signedIn = await this.accounts.login(body.email, body.password);
      takeBack();
      return signedIn;
    } catch (error) {
      if (!(error instanceof WrongCredentialsError)) takeBack();
      throw error;
    }
  }

  /** Needs what every role has. */
  @Get('me')
  @Authorize('read', 'Pipeline')
  async me(@CurrentPrincipal() principal: Principal): Promise<Me> {
    const tenantName = await this.accounts.tenantName(principal.tenantId);
    return {
      principal: { id: principal.id, tenant_id: principal.tenantId, name: principal.name },
      tenant: { id: principal.tenantId, name: tenantName },
      role: principal.roles[0],
      abilities: rulesFor(principal),
    };
  }

  private beginAttempt(email: string, address: string, response: Response): () => void {
    try {
      return this.throttle.begin(normalEmail(email), address);
    } catch (error) {
      if (error instanceof TooManyAttemptsError) response.setHeader('Retry-After', error.retryAfterSeconds);
      throw error;
    }
  }
}
