/**
 * A text as Postgres can store it: without NUL, and with each lone surrogate replaced. Answers of providers and errors that
 * quote them are stored whatever they hold, because what was paid for must be recorded.
 */
export function storableText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

/** JSON text whose strings are all {@link storableText}. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'string' ? storableText(member) : member,
  );
}
