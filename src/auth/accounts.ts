import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditLog, type Role } from '#libs/access';
import { FieldsmithError, newId } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { AccessTokens, type TokenClaims } from './access-tokens.js';
import { normalEmail } from './email.js';
import { orEmailTaken } from './email-taken.js';
import { hashOfNobody, hashPassword, verifyPassword } from './password-hash.js';

/** What signing in or up answers. */
export interface SignedIn {
  token: string;
  tenant: { id: string; name: string };
  user: { id: string; email: string; role: Role };
}

/** E-mail or password is wrong, and which of them is nobody's business; status 401. */
export class WrongCredentialsError extends FieldsmithError {
  constructor() {
    super('invalid_credentials', 'E-mail or password is wrong.', { status: 401 });
  }
}

interface LoginRow {
  tenant_id: string;
  tenant_name: string;
  user_id: string;
  password_hash: string;
  role: Role;
  token_version: number;
}

const NEW_TENANT = 'INSERT INTO tenants (tenant_id, name) VALUES ($1, $2)';
const NEW_OWNER = `INSERT INTO users (tenant_id, id, email, password_hash, role) VALUES ($1, $2, $3, $4, 'owner')`;
const TENANT_NAME = 'SELECT name FROM tenants WHERE tenant_id = $1';
const FIND_LOGIN = 'SELECT * FROM host_find_login($1)';
const FIND_PRINCIPAL = 'SELECT email, role FROM host_find_principal($1, $2, $3)';

/** Signing up, signing in, and who a token stands for. */
@Injectable()
export class Accounts {
  constructor(
    private readonly tenants: TenantTransactions,
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly tokens: AccessTokens,
    private readonly audit: AuditLog,
  ) {}

  /** Makes a tenant and its first owner. @throws FieldsmithError `email_taken`, 409. */
  async register(tenantName: string, address: string, password: string): Promise<SignedIn> {
    const email = normalEmail(address);
    const passwordHash = await hashPassword(password);
    const [tenantId, userId] = [newId(), newId()];
    const owner: Principal = { tenantId, id: userId, name: email, roles: ['owner'] };
    const change = { action: 'create', subject: 'User', subjectId: userId, after: { email, role: 'owner' } };
    await orEmailTaken(
      this.tenants.transaction(tenantId, async (em) => {
        await em.query(NEW_TENANT, [tenantId, tenantName]);
        await em.query(NEW_OWNER, [tenantId, userId, email, passwordHash]);
        await this.audit.record(em, owner, change);
      }),
    );
    const token = await this.tokens.sign({ tenantId, userId, tokenVersion: 1 });
    return { token, tenant: { id: tenantId, name: tenantName }, user: { id: userId, email, role: 'owner' } };
  }

  /**
   * Takes as long for an e-mail that nobody has as for a wrong password, and says the same.
   *
   * @throws WrongCredentialsError
   */
  async login(address: string, password: string): Promise<SignedIn> {
    const email = normalEmail(address);
    const [row] = await this.tenants.system((em) => em.query<LoginRow[]>(FIND_LOGIN, [email]));
    const fits = await verifyPassword(password, row?.password_hash ?? (await hashOfNobody()));
    if (!row || !fits) throw new WrongCredentialsError();
    const token = await this.tokens.sign({
      tenantId: row.tenant_id,
      userId: row.user_id,
      tokenVersion: row.token_version,
    });
    const tenant = { id: row.tenant_id, name: row.tenant_name };
    return { token, tenant, user: { id: row.user_id, email, role: row.role } };
  }

  /** The name of a tenant. */
  async tenantName(tenantId: string): Promise<string> {
    const [tenant] = await this.tenants.transaction(tenantId, (em) =>
      em.query<{ name: string }[]>(TENANT_NAME, [tenantId]),
    );
    return tenant?.name ?? '';
  }

  /** Whom a token stands for now; undefined where it is no longer, or never was, good. */
  async principalOf(token: string): Promise<Principal | undefined> {
    const claims = await this.tokens.read(token);
    return claims && this.findPrincipal(claims);
  }

  /**
   * One look-up by primary key, on every request: through a function of the system role it needs no tenant and so no
   * transaction, which would make it three statements.
   */
  private async findPrincipal({
    tenantId,
    userId,
    tokenVersion,
  }: TokenClaims): Promise<Principal | undefined> {
    const [user] = await this.dataSource.query<{ email: string; role: Role }[]>(FIND_PRINCIPAL, [
      tenantId,
      userId,
      tokenVersion,
    ]);
    return user && { tenantId, id: userId, name: user.email, roles: [user.role] };
  }
}
