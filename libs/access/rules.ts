import type { MongoAbility, RawRuleOf } from '@casl/ability';
import type { Principal } from '#libs/host';

/** What can be done to a subject. `manage` is all of them. */
export type Action = 'read' | 'write' | 'generate' | 'cancel' | 'configure' | 'manage';

/** What actions are done to. `all` is every subject. */
export type Subject =
  | 'Pipeline'
  | 'Record'
  | 'AiValue'
  | 'AiField'
  | 'Job'
  | 'JobQueue'
  | 'Run'
  | 'Event'
  | 'Settings'
  | 'ProviderKey'
  | 'Budget'
  | 'ModelPrice'
  | 'Analytics'
  | 'AuditLog'
  | 'User'
  | 'all';

export type Ability = MongoAbility<[Action, Subject]>;
export type Rule = RawRuleOf<Ability>;

/** Roles of the reference host, the least first; each has all of the ones before it. */
export const ROLES = ['viewer', 'editor', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** In the conditions of a rule: the id of the principal that the rules are made for. */
const SELF = '${principal.id}';

/** A rule with conditions holds for the rows that have these values; the query that reads them asks for no others. */
const ADDED: Record<Role, Rule[]> = {
  viewer: [{ action: 'read', subject: ['Pipeline', 'Record', 'AiValue', 'Run', 'Event'] }],
  editor: [
    { action: 'write', subject: ['Record', 'AiValue'] },
    { action: 'generate', subject: ['AiValue'] },
    { action: ['read', 'write', 'cancel'], subject: 'Job', conditions: { principal_id: SELF } },
    { action: 'cancel', subject: 'Run' },
  ],
  admin: [
    { action: ['read', 'write', 'cancel'], subject: 'Job' },
    { action: ['read', 'write'], subject: 'JobQueue' },
    {
      action: 'configure',
      subject: ['Pipeline', 'AiField', 'Settings', 'ProviderKey', 'Budget', 'ModelPrice'],
    },
    {
      action: 'read',
      subject: ['AiField', 'Settings', 'ProviderKey', 'Budget', 'ModelPrice', 'Analytics', 'AuditLog'],
    },
  ],
  owner: [{ action: 'manage', subject: 'User' }],
};

/**
 * The rules of a principal: of each of its roles those that the role adds, and those of every role below. Unknown roles
 * give none.
 *
 * @example rulesFor({ id: 'u1', roles: ['editor'] }) // … { action: ['read', …], subject: 'Job', conditions: { principal_id: 'u1' } }
 */
export function rulesFor({ id, roles }: Pick<Principal, 'id' | 'roles'>): Rule[] {
  const rank = Math.max(...roles.map((role) => ROLES.indexOf(role as Role)), -1);
  return ROLES.slice(0, rank + 1).flatMap((role) => ADDED[role].map((rule) => forPrincipal(rule, id)));
}

function forPrincipal(rule: Rule, id: string): Rule {
  if (!rule.conditions) return rule;
  const conditions = Object.entries(rule.conditions).map(([name, value]) => [
    name,
    value === SELF ? id : (value as unknown),
  ]);
  return { ...rule, conditions: Object.fromEntries(conditions) as Rule['conditions'] };
}
