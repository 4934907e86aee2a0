import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditLog, type Role, type Watched } from '#libs/access';
import { FieldsmithError, isId, newId, NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { normalEmail } from './email.js';
import { orEmailTaken } from './email-taken.js';
import { hashPassword } from './password-hash.js';

/** A user as the API shows one. */
export interface UserView {
  id: string;
  email: string;
  role: Role;
  created_at: Date;
}

export interface UserChanges {
  email?: string;
  password?: string;
  role?: Role;
}

const LIST = `
  SELECT id, email, role, created_at FROM users
   WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3`;
const ADD = `
  INSERT INTO users (tenant_id, id, email, password_hash, role) VALUES ($1, $2, $3, $4, $5)
  RETURNING id, email, role, created_at`;
const CHANGE = `
  UPDATE users SET email = coalesce($3, email), password_hash = coalesce($4, password_hash), role = coalesce($5, role),
         token_version = token_version + CASE WHEN $4 IS NOT NULL OR role <> coalesce($5, role) THEN 1 ELSE 0 END
   WHERE tenant_id = $1 AND id = $2 RETURNING id, email, role, created_at`;
const REMOVE = 'DELETE FROM users WHERE tenant_id = $1 AND id = $2 RETURNING role';
const ONE = 'SELECT email, role FROM users WHERE tenant_id = $1 AND id = $2';
/** Changes of a tenant's users wait for each other, so that two owners cannot demote one another. */
const LOCK = 'SELECT 1 FROM tenants WHERE tenant_id = $1 FOR UPDATE';
const OWNERS = `SELECT count(*)::int AS owners FROM users WHERE tenant_id = $1 AND role = 'owner'`;

/** The users of a tenant. A new password or role makes the tokens of that user worthless. */
@Injectable()
export class Users {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly audit: AuditLog,
  ) {}

  /** At most `limit` users after an id, in the order they were added. */
  list(tenantId: string, after: string, limit: number): Promise<UserView[]> {
    return this.tenants.transaction(tenantId, (em) => em.query<UserView[]>(LIST, [tenantId, after, limit]));
  }

  /** @throws FieldsmithError `email_taken`, 409. */
  async add(principal: Principal, email: string, password: string, role: Role): Promise<UserView> {
    const { tenantId } = principal;
    const hash = await hashPassword(password);
    const id = newId();
    const values = [tenantId, id, normalEmail(email), hash, role];
    const added = this.tenants.transaction(tenantId, (em) =>
      this.audit.watch(em, principal, watched(em, tenantId, id), () => em.query<UserView[]>(ADD, values)),
    );
    const [user] = await orEmailTaken(added);
    return user as UserView;
  }

  /** @throws NotFoundError; FieldsmithError `last_owner` or `email_taken`, 409. */
  async change(principal: Principal, id: string, changes: UserChanges): Promise<UserView> {
    const { tenantId } = principal;
    if (!isId(id)) throw new NotFoundError('user', id);
    const email = changes.email === undefined ? null : normalEmail(changes.email);
    const hash = changes.password === undefined ? null : await hashPassword(changes.password);
    const values = [tenantId, id, email, hash, changes.role ?? null];
    const changed = this.tenants.transaction(tenantId, async (em) => {
      await em.query(LOCK, [tenantId]);
      const user = await this.audit.watch(em, principal, watched(em, tenantId, id, hash), async () => {
        const [[row]] = await em.query<[UserView[]]>(CHANGE, values);
        if (!row) throw new NotFoundError('user', id);
        return row;
      });
      await this.requireOwner(em, tenantId);
      return user;
    });
    return orEmailTaken(changed);
  }

  /** @throws NotFoundError; FieldsmithError `last_owner`, 409. */
  async remove(principal: Principal, id: string): Promise<void> {
    const { tenantId } = principal;
    if (!isId(id)) throw new NotFoundError('user', id);
    await this.tenants.transaction(tenantId, async (em) => {
      await em.query(LOCK, [tenantId]);
      await this.audit.watch(em, principal, watched(em, tenantId, id), async () => {
        const [[user]] = await em.query<[{ role: Role }[]]>(REMOVE, [tenantId, id]);
        if (!user) throw new NotFoundError('user', id);
      });
      await this.requireOwner(em, tenantId);
    });
  }

  private async requireOwner(em: EntityManager, tenantId: string): Promise<void> {
    const [count] = await em.query<{ owners: number }[]>(OWNERS, [tenantId]);
    if (count && count.owners > 0) return;
    throw new FieldsmithError('last_owner', 'A tenant needs an owner: make another user owner first.', {
      status: 409,
    });
  }
}

/** A user as the audit log shows one; of a new password only that there is one. */
export function watched(
  em: EntityManager,
  tenantId: string,
  id: string,
  newHash: string | null = null,
): Watched {
  let looks = 0;
  const view = async (): Promise<object | undefined> => {
    const [user] = await em.query<{ email: string; role: Role }[]>(ONE, [tenantId, id]);
    looks += 1;
    return user && { ...user, ...(newHash !== null && looks > 1 && { password_changed: true }) };
  };
  return { subject: 'User', subjectId: id, view };
}
