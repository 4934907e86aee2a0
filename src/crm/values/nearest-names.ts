import { distance } from 'fastest-levenshtein';

const MAX_LENGTH = 63;

/** "; did you mean …?" with up to three names near to one that does not exist, or an empty text. */
export function didYouMean(name: string, known: readonly string[]): string {
  if (name.length > MAX_LENGTH) return '';
  const wanted = name.toLowerCase();
  const near = known
    .map((candidate) => ({ candidate, far: distance(wanted, candidate.toLowerCase()) }))
    .filter(({ far, candidate }) => far <= Math.max(2, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ candidate }) => `"${candidate}"`);
  return near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
}
