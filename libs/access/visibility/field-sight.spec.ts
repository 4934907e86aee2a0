import fc from 'fast-check';
import { fieldSight, unseenFields, type GuardedField } from './field-sight.js';

const ROLES = ['viewer', 'editor', 'admin'];
const shown = (set: ReadonlySet<string>) => [...set].sort();

describe('fieldSight', () => {
  const fields: GuardedField[] = [
    { slug: 'name' },
    { slug: 'salary', visibleTo: ['admin'] },
    { slug: 'pay_summary' },
    { slug: 'advice' },
    { slug: 'band', visibleTo: ['editor', 'admin'] },
  ];
  const made = new Map([
    ['advice', ['pay_summary']],
    ['pay_summary', ['name', 'salary']],
    ['band', ['salary']],
  ]);

  it('hides a field from the roles that its list leaves out, and what is made from it', () => {
    expect(shown(fieldSight(fields, ['viewer'], made).hidden)).toEqual([
      'advice',
      'band',
      'pay_summary',
      'salary',
    ]);
    expect(shown(fieldSight(fields, ['admin'], made).hidden)).toEqual([]);
  });

  it('shows what says itself that it may be shown, but not what went into it', () => {
    const { hidden, opaque } = fieldSight(fields, ['editor'], made);
    expect(shown(hidden)).toEqual(['advice', 'pay_summary', 'salary']);
    expect(shown(opaque)).toEqual(['advice', 'band', 'pay_summary']);
  });

  it('does not pass on what a field between says for itself', () => {
    const through = new Map([...made, ['advice', ['band']]]);
    expect(shown(fieldSight(fields, ['editor'], through).hidden)).toEqual([
      'advice',
      'pay_summary',
      'salary',
    ]);
  });

  it('an empty list leaves the owner, who sees everything', () => {
    const secret = [{ slug: 'secret', visibleTo: [] }];
    expect(shown(unseenFields(secret, ['admin']))).toEqual(['secret']);
    expect(shown(unseenFields(secret, ['owner']))).toEqual([]);
    expect(shown(unseenFields([{ slug: 'open', visibleTo: null }], ['stranger']))).toEqual([]);
  });
});

describe('for any fields, lists, roles and sources', () => {
  const SIZE = 7;
  const slugs = Array.from({ length: SIZE }, (_, n) => `f${n}`);
  const lists = fc.array(fc.option(fc.subarray(ROLES), { nil: undefined }), {
    minLength: SIZE,
    maxLength: SIZE,
  });
  const edges = fc.array(fc.tuple(fc.constantFrom(...slugs), fc.constantFrom(...slugs)), { maxLength: 14 });
  const world = fc.record({ lists, edges, roles: fc.subarray(ROLES) });

  const fieldsOf = (all: (string[] | undefined)[]): GuardedField[] =>
    all.map((visibleTo, n) => ({ slug: `f${n}`, visibleTo }));
  const madeOf = (all: [string, string][]): Map<string, Set<string>> => {
    const made = new Map<string, Set<string>>();
    for (const [slug, source] of all) made.set(slug, new Set([...(made.get(slug) ?? []), source]));
    return made;
  };
  /** Every way from one field to another, found the slow way. */
  const reaches = (all: [string, string][], from: string, to: ReadonlySet<string>): boolean => {
    let known = new Set([from]);
    for (let step = 0; step < SIZE; step += 1) {
      const next = all.filter(([slug]) => known.has(slug)).map(([, source]) => source);
      if (next.some((source) => to.has(source))) return true;
      known = new Set([...known, ...next]);
    }
    return false;
  };

  it('a field without a list is hidden exactly if some way leads from it to an unseen one', () => {
    fc.assert(
      fc.property(world, ({ lists: all, edges: links, roles }) => {
        const { unseen, hidden, opaque } = fieldSight(fieldsOf(all), roles, madeOf(links));
        for (const [n, slug] of slugs.entries()) {
          const list = all[n];
          const isMade = reaches(links, slug, unseen);
          expect(unseen.has(slug)).toBe(list !== undefined && !list.some((role) => roles.includes(role)));
          expect(opaque.has(slug)).toBe(isMade);
          expect(hidden.has(slug)).toBe(unseen.has(slug) || (list === undefined && isMade));
        }
      }),
    );
  });

  it('an owner sees everything', () => {
    fc.assert(
      fc.property(world, ({ lists: all, edges: links, roles }) => {
        expect(fieldSight(fieldsOf(all), [...roles, 'owner'], madeOf(links)).hidden.size).toBe(0);
      }),
    );
  });

  it('a further source never shows more, a further role never hides more', () => {
    const more = fc.record({ world, edge: edges, role: fc.constantFrom(...ROLES) });
    fc.assert(
      fc.property(more, ({ world: { lists: all, edges: links, roles }, edge, role }) => {
        const fields = fieldsOf(all);
        const { hidden } = fieldSight(fields, roles, madeOf(links));
        const dearer = fieldSight(fields, roles, madeOf([...links, ...edge])).hidden;
        const wider = fieldSight(fields, [...roles, role], madeOf(links)).hidden;
        expect([...hidden].every((slug) => dearer.has(slug))).toBe(true);
        expect([...wider].every((slug) => hidden.has(slug))).toBe(true);
      }),
    );
  });
});
