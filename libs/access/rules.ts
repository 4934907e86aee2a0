import type { MongoAbility, RawRuleOf } from '@casl/ability';

/** What can be done to a subject. `manage` is all of them. */
export type Action = 'read' | 'write' | 'generate' | 'cancel' | 'configure' | 'manage';

/** What actions are done to. `all` is every subject. */
export type Subject =
  | 'Pipeline'
  | 'Record'
  | 'AiValue'
  | 'AiField'
  | 'Job'
  | 'OwnJob'
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

const ADDED: Record<Role, Rule[]> = {
  viewer: [{ action: 'read', subject: ['Pipeline', 'Record', 'AiValue', 'Run', 'Event'] }],
  editor: [
    { action: 'write', subject: ['Record', 'AiValue'] },
    { action: 'generate', subject: ['AiValue'] },
    { action: ['read', 'write', 'cancel'], subject: 'OwnJob' },
    { action: 'cancel', subject: 'Run' },
  ],
  admin: [
    { action: ['read', 'write', 'cancel'], subject: 'Job' },
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

/** The rules a role gives: its own and those of every role below. Unknown roles give none. */
export function rulesOf(role: string): Rule[] {
  const rank = ROLES.indexOf(role as Role);
  return ROLES.slice(0, rank + 1).flatMap((name) => ADDED[name]);
}
