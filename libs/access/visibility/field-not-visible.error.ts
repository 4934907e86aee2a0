import { FieldsmithError } from '#libs/common';

/**
 * Somebody named a field whose values they may not see; status 403. Not "unknown": the list of fields shows that it is
 * there, and a message that denies it would send people looking for a spelling mistake.
 */
export class FieldNotVisibleError extends FieldsmithError {
  constructor(slugs: readonly string[]) {
    const errors = slugs.map((slug) => ({
      path: slug,
      message: 'Your role may not see the values of this field.',
    }));
    const names = slugs.map((slug) => `"${slug}"`).join(', ');
    super(
      'field_not_visible',
      `Your role may not see the values of ${names}: leave it out, or ask an owner.`,
      {
        status: 403,
        errors,
      },
    );
  }
}

/** @throws FieldNotVisibleError where any of the fields is hidden. */
export function requireShown(hidden: ReadonlySet<string>, slugs: readonly string[]): void {
  const named = slugs.filter((slug) => hidden.has(slug));
  if (named.length > 0) throw new FieldNotVisibleError(named);
}
