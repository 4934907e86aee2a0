import { Injectable } from '@nestjs/common';
import { AuditLog, type Role } from '#libs/access';
import { FieldsmithError, InvalidInputError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { AccessTokens } from './access-tokens.js';
import type { SignedIn } from './accounts.js';
import { hashPassword, verifyPassword } from './password-hash.js';
import { watched } from './users.js';

/** The password that a change must name is another one; status 422. */
export class WrongPasswordError extends InvalidInputError {
  constructor() {
    super([{ path: 'current_password', message: 'This is not your password: type it again.' }]);
  }
}

interface OwnRow {
  email: string;
  role: Role;
  password_hash: string;
  tenant_name: string;
}

const OWN = `
  SELECT u.email, u.role, u.password_hash, t.name AS tenant_name
    FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id WHERE u.tenant_id = $1 AND u.id = $2`;
/** Only from the password that was checked: of two changes at once one comes too late. */
const CHANGE = `
  UPDATE users SET password_hash = $3, token_version = token_version + 1
   WHERE tenant_id = $1 AND id = $2 AND password_hash = $4 RETURNING token_version`;

/** Changing one's own password. All tokens of that user end with it, the one that asked too; a new one is given. */
@Injectable()
export class OwnPassword {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly tokens: AccessTokens,
    private readonly audit: AuditLog,
  ) {}

  /** @throws WrongPasswordError; FieldsmithError `unauthenticated`, 401, for a user who is gone. */
  async change(principal: Principal, current: string, next: string): Promise<SignedIn> {
    const { tenantId, id } = principal;
    const [own] = await this.tenants.transaction(tenantId, (em) => em.query<OwnRow[]>(OWN, [tenantId, id]));
    if (!own) throw new FieldsmithError('unauthenticated', 'This user was removed.', { status: 401 });
    if (!(await verifyPassword(current, own.password_hash))) throw new WrongPasswordError();
    const hash = await hashPassword(next);
    const tokenVersion = await this.tenants.transaction(tenantId, (em) =>
      this.audit.watch(em, principal, watched(em, tenantId, id, hash), async () => {
        const values = [tenantId, id, hash, own.password_hash];
        const [[row]] = await em.query<[{ token_version: number }[]]>(CHANGE, values);
        if (!row) throw new WrongPasswordError();
        return row.token_version;
      }),
    );
    const { email, role, tenant_name: name } = own;
    const token = await this.tokens.sign({ tenantId, userId: id, tokenVersion });
    return { token, tenant: { id: tenantId, name }, user: { id, email, role } };
  }
}
