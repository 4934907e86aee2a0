import { createMongoAbility } from '@casl/ability';
import { accessibleRows, conditionOf } from './accessible-rows.js';
import type { Ability, Rule } from './rules.js';

const rows = (role: string) =>
  accessibleRows({ id: 'u1', roles: [role] }, 'read', 'Job', ['principal_id'], 3);
const ofRules = (rules: Rule[], first = 1) =>
  conditionOf(createMongoAbility<Ability>(rules).rulesFor('read', 'Job'), ['principal_id', 'lane'], first);

describe('accessibleRows', () => {
  it('is everything, what is their own, or nothing', () => {
    expect(rows('admin')).toEqual({ sql: 'true', values: [] });
    expect(rows('editor')).toEqual({ sql: '(principal_id = $3)', values: ['u1'] });
    expect(rows('viewer')).toEqual({ sql: 'false', values: [] });
    expect(rows('stranger')).toEqual({ sql: 'false', values: [] });
  });

  it('joins what several rules allow, and takes out what a later one forbids', () => {
    const own: Rule = { action: 'read', subject: 'Job', conditions: { principal_id: 'u1' } };
    const fast: Rule = { action: 'read', subject: 'Job', conditions: { lane: '0', principal_id: 'u2' } };
    const never: Rule = { action: 'read', subject: 'Job', inverted: true, conditions: { lane: '9' } };
    expect(ofRules([own, fast])).toEqual({
      sql: '((lane = $1 AND principal_id = $2) OR (principal_id = $3))',
      values: ['0', 'u2', 'u1'],
    });
    expect(ofRules([own, never], 5)).toEqual({
      sql: '(principal_id = $6) AND NOT (lane = $5)',
      values: ['9', 'u1'],
    });
    expect(ofRules([{ action: 'read', subject: 'Job' }, never])).toEqual({
      sql: 'NOT (lane = $1)',
      values: ['9'],
    });
  });

  it('refuses a condition that it could not apply rather than leaving it out', () => {
    const with_ = (conditions: Rule['conditions']) => () =>
      ofRules([{ action: 'read', subject: 'Job', conditions }]);
    expect(with_({ principal_id: { $ne: 'u1' } })).toThrow('no query can apply');
    expect(with_({ owner: 'u1' })).toThrow('no query can apply');
  });
});
