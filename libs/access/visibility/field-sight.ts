/** A field, as far as who may see its values goes. */
export interface GuardedField {
  slug: string;
  /** The roles that see its values; absent or null for all. */
  visibleTo?: readonly string[] | null;
}

/** The fields that the value of a field is made from, by its slug; near ones are enough, far ones do no harm. */
export type MadeFrom = ReadonlyMap<string, Iterable<string>>;

/** What somebody sees of the fields of a pipeline. */
export interface FieldSight {
  /** Fields whose own `visible_to` leaves this somebody out. */
  unseen: ReadonlySet<string>;
  /** Fields whose values are not shown: the unseen, and what is made from them without saying so. */
  hidden: ReadonlySet<string>;
  /** Fields made from an unseen one, whether they are shown or not: what went into them is not shown. */
  opaque: ReadonlySet<string>;
}

/** Sees everything whatever any field says: somebody has to be able to mend it. */
const SEES_ALL = 'owner';

const NOTHING: ReadonlySet<string> = new Set();
export const FULL_SIGHT: FieldSight = { unseen: NOTHING, hidden: NOTHING, opaque: NOTHING };

/** Whether these roles see every field of every pipeline. */
export function seesEverything(roles: readonly string[]): boolean {
  return roles.includes(SEES_ALL);
}

/** The fields whose own `visible_to` names none of these roles; the owner's roles leave none out. */
export function unseenFields(fields: readonly GuardedField[], roles: readonly string[]): ReadonlySet<string> {
  if (seesEverything(roles)) return NOTHING;
  const unseen = fields.filter(
    ({ visibleTo }) => visibleTo && !visibleTo.some((role) => roles.includes(role)),
  );
  return unseen.length === 0 ? NOTHING : new Set(unseen.map(({ slug }) => slug));
}

/**
 * What these roles see of a pipeline. A field that has a `visible_to` is shown by its own word alone; any other is hidden as
 * soon as it is made from an unseen one, through any number of fields between.
 *
 * @example
 * const fields = [{ slug: 'salary', visibleTo: ['admin'] }, { slug: 'pay_summary' }];
 * fieldSight(fields, ['viewer'], new Map([['pay_summary', ['salary']]])).hidden; // salary, pay_summary
 */
export function fieldSight(
  fields: readonly GuardedField[],
  roles: readonly string[],
  madeFrom: MadeFrom,
): FieldSight {
  const unseen = unseenFields(fields, roles);
  if (unseen.size === 0) return FULL_SIGHT;
  const opaque = madeFromAny(unseen, madeFrom);
  const silent = new Set(fields.filter(({ visibleTo }) => !visibleTo).map(({ slug }) => slug));
  return { unseen, opaque, hidden: new Set([...unseen, ...[...opaque].filter((slug) => silent.has(slug))]) };
}

/** The fields that are made from any of these, near or far. */
function madeFromAny(these: ReadonlySet<string>, madeFrom: MadeFrom): Set<string> {
  const found = new Set<string>();
  const isMade = (sources: Iterable<string>): boolean => {
    for (const source of sources) if (these.has(source) || found.has(source)) return true;
    return false;
  };
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const [slug, sources] of madeFrom) if (!found.has(slug) && isMade(sources)) found.add(slug);
  }
  return found;
}
