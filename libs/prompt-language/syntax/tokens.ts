/** What a tag `{{…}}` does, by its first character or word. */
export type TagRole = 'print' | 'open' | 'else' | 'close' | 'comment';

export interface TextToken {
  kind: 'text';
  /** The text as it goes into the prompt, `\{` already read as `{`. */
  value: string;
}

export interface TagToken {
  kind: 'tag';
  role: TagRole;
  start: number;
  /** Where the content begins and ends, without braces, `~` and the character that gives the role. */
  from: number;
  to: number;
  /** Whether `~` takes away the white space before and after the tag. */
  stripBefore: boolean;
  stripAfter: boolean;
}

export type Token =
  TextToken | TagToken | { kind: 'name'; start: number; name: string } | { kind: 'all'; start: number };

/** Where the identifier that begins at an offset ends; the offset itself where none does. */
export function identifierEnd(source: string, from: number): number {
  let at = from;
  while (isWordChar(source.charCodeAt(at)) && !(at === from && isDigit(source.charCodeAt(at)))) at += 1;
  return at;
}

/** A letter of ASCII, a digit or `_`. */
export function isWordChar(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || isDigit(code);
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r';
}
