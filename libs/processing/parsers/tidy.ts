const EDGE = '[\\s"\'`*_\u201c\u201d\u2018\u2019]';
const LEADING = new RegExp(`^${EDGE}+`);
const TRAILING = new RegExp(`(?<!${EDGE}|\\.)(?:${EDGE}|\\.)+$`);

/**
 * A short answer without the quotes, emphasis and full stop that models put around it.
 *
 * @example tidy('**"Yes."**') // 'Yes'
 */
export function tidy(text: string): string {
  return text.replace(LEADING, '').replace(TRAILING, '');
}
