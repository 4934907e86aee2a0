import { rulesToCondition } from '@casl/ability/extra';
import type { RuleOf } from '@casl/ability';
import type { Principal } from '#libs/host';
import { abilityOf } from './ability.js';
import type { Ability, Action, Subject } from './rules.js';

/** A part of a WHERE clause, and the values of its parameters. */
export interface SqlCondition {
  sql: string;
  values: string[];
}

const ALL: SqlCondition = { sql: 'true', values: [] };
const NONE: SqlCondition = { sql: 'false', values: [] };

/**
 * The rules of a principal as a condition of the query: a statement that has it in its WHERE reads just the rows that the
 * principal may do this to, so that pages are full and nothing has to be taken out afterwards.
 *
 * @param columns the columns that conditions of rules may name.
 * @param first the number of the condition's first parameter.
 * @throws Error for a rule with a condition other than "column equals text", or on another column: it could not be applied.
 * @example
 * const { sql, values } = accessibleRows(editor, 'read', 'Job', ['principal_id'], 3);
 * await em.query(`SELECT id FROM ai_jobs WHERE tenant_id = $1 AND id > $2 AND ${sql}`, [tenantId, after, ...values]);
 */
export function accessibleRows(
  principal: Pick<Principal, 'id' | 'roles'>,
  action: Action,
  subject: Subject,
  columns: readonly string[],
  first: number,
): SqlCondition {
  return conditionOf(abilityOf(principal).rulesFor(action, subject), columns, first);
}

/** The same of rules, the last of which counts first. */
export function conditionOf(
  rules: readonly RuleOf<Ability>[],
  columns: readonly string[],
  first: number,
): SqlCondition {
  const values: string[] = [];
  const equals = ([name, value]: [string, unknown]): string => {
    if (!columns.includes(name) || typeof value !== 'string') {
      throw new Error(
        `A rule has the condition ${name}: ${JSON.stringify(value)}, which no query can apply.`,
      );
    }
    values.push(value);
    return `${name} = $${first + values.length - 1}`;
  };
  const sql = rulesToCondition<Ability, string, string>(
    rules,
    ({ conditions, inverted }) => {
      const text = Object.entries(conditions ?? {}).map(equals);
      return inverted ? `NOT (${text.join(' AND ')})` : `(${text.join(' AND ')})`;
    },
    {
      and: (parts) => parts.join(' AND '),
      or: (parts) => (parts.length === 1 ? parts.join('') : `(${parts.join(' OR ')})`),
      empty: () => ALL.sql,
    },
  );
  if (sql === null) return NONE;
  return { sql, values };
}
