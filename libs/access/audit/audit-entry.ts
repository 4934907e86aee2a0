import { canonicalJson, storableText } from '#libs/common';

/** Something that a principal changed. */
export interface AuditedChange {
  /** `create`, `update`, `delete`, or a word of the caller's own. */
  action: string;
  /** What was changed, as in the access rules where they know it: `Settings`, `ProviderKey`, `Budget`. */
  subject: string;
  /** Which one: its id, a provider, `field/<pipeline id>:<slug>`. */
  subjectId: string;
  /** As it was, as the API shows it; nothing where it was not there. */
  before?: object;
  /** As it is now; nothing where it is gone. */
  after?: object;
}

/** An entry of the audit log, as the API shows it. */
export interface AuditEntry {
  id: string;
  at: string;
  actor_id: string;
  actor_name: string;
  action: string;
  subject: string;
  subject_id: string;
  before: object | null;
  after: object | null;
}

const SECRET_NAMES =
  /^(api_?key|(new_|old_)?password(_?hash)?|secret|sealed|(access_|refresh_)?token|authorization|private_?key|client_?secret)$/i;
const MASK = '***';

/** Whether there is nothing to tell: both states are the same to the last member. */
export function isUnchanged({ before, after }: Pick<AuditedChange, 'before' | 'after'>): boolean {
  return canonicalJson(before ?? null) === canonicalJson(after ?? null);
}

/**
 * A state as it may be kept for good. Callers leave secrets out of it; a text under the name of one is masked all the same.
 *
 * @example auditedJson({ provider: 'openai', api_key: 'sk-1' }) // '{"provider":"openai","api_key":"***"}'
 */
export function auditedJson(state: object | undefined): string | null {
  if (state === undefined) return null;
  return JSON.stringify(state, (name, value: unknown) => {
    if (typeof value !== 'string') return value;
    return SECRET_NAMES.test(name) ? MASK : storableText(value);
  });
}
