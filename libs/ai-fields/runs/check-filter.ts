import { unseenFields } from '#libs/access';
import { InvalidInputError } from '#libs/common';
import type { HostPipeline, Principal } from '#libs/host';
import { didYouMean } from '#libs/prompt-language';

/** The longest part of a name that is repeated. */
const MAX_NAME = 100;

/** @throws InvalidInputError for each name in a filter that is no field, with the nearest of those that the principal sees. */
export function requireFields(
  { fields }: HostPipeline,
  { roles }: Principal,
  filter: Readonly<Record<string, unknown>> = {},
): void {
  const known = new Set(fields.map(({ slug }) => slug));
  const unknown = Object.keys(filter).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const unseen = unseenFields(fields, roles);
  const shown = [...known].filter((slug) => !unseen.has(slug));
  throw new InvalidInputError(
    unknown.map((name) => ({
      path: `filter.${name.slice(0, MAX_NAME)}`,
      message: `is no field of this pipeline: take it out or correct it.${didYouMean(name, shown)}`,
    })),
  );
}
