export const SLUG = /^[a-z][a-z0-9_]{0,62}$/;
const MAX_SLUG = 63;

/** Slugs that could not travel as keys of JSON objects. */
const UNUSABLE = new Set(['constructor', 'prototype']);

export function isSlug(text: unknown): text is string {
  return typeof text === 'string' && SLUG.test(text) && !UNUSABLE.has(text);
}

/**
 * Makes a slug of a name, unlike those that are taken.
 *
 * @example deriveSlug('Größe (cm)', new Set(['grosse_cm'])) // 'grosse_cm_2'
 */
export function deriveSlug(name: string, taken: ReadonlySet<string>): string {
  const plain = name
    .replaceAll('ß', 'ss')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
  const slug = startWithLetter(plain).slice(0, MAX_SLUG).replace(/_$/, '');
  return firstFree(slug, taken);
}

function startWithLetter(plain: string): string {
  if (plain === '') return 'field';
  return /^[a-z]/.test(plain) && !UNUSABLE.has(plain) ? plain : `f_${plain}`;
}

function firstFree(slug: string, taken: ReadonlySet<string>): string {
  let candidate = slug;
  for (let n = 2; taken.has(candidate); n += 1) {
    const suffix = `_${n}`;
    candidate = slug.slice(0, MAX_SLUG - suffix.length) + suffix;
  }
  return candidate;
}
