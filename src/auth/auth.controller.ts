import { Body, Controller, Get, HttpCode, Ip, Patch, Post } from '@nestjs/common';
import { Authorize, CurrentPrincipal, Public, rulesFor, type Rule } from '#libs/access';
import type { Principal } from '#libs/host';
import { Accounts, WrongCredentialsError, type SignedIn } from './accounts.js';
import { LoginDto, OwnPasswordDto, RegisterDto } from './dto/credentials.dto.js';
import { normalEmail } from './email.js';
import { OwnPassword, WrongPasswordError } from './own-password.js';
import { SignInThrottle } from './sign-in-throttle.js';

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
    private readonly ownPassword: OwnPassword,
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
  login(@Body() body: LoginDto, @Ip() address: string): Promise<SignedIn> {
    return this.attempt(body.email, address, () => this.accounts.login(body.email, body.password));
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

  /** Ends every token of the user, and gives a new one. A stolen token guesses passwords no faster than nobody does. */
  @Patch('me')
  @Authorize('read', 'Pipeline')
  changePassword(
    @CurrentPrincipal() principal: Principal,
    @Body() body: OwnPasswordDto,
    @Ip() address: string,
  ): Promise<SignedIn> {
    return this.attempt(principal.name, address, () =>
      this.ownPassword.change(principal, body.current_password, body.new_password),
    );
  }

  /** Counts what fails for a wrong password, and nothing else. */
  private async attempt(email: string, address: string, signIn: () => Promise<SignedIn>): Promise<SignedIn> {
    const takeBack = this.throttle.begin(normalEmail(email), address);
    try {
      const signedIn = await signIn();
      takeBack();
      return signedIn;
    } catch (error) {
      const isWrong = error instanceof WrongCredentialsError || error instanceof WrongPasswordError;
      if (!isWrong) takeBack();
      throw error;
    }
  }
}
