import { hashNumber } from './hash.js';

const LISTS = [
  /\b(?:exactly |only )?(?:one|any|some|none|several|more|subset) of(?: the| these| following| options| values| categories| labels| choices| allowed){0,4}\s*(?:\([^)\n]{0,60}\))?\s*:\s*([^]{1,4000})/i,
  /\b(?:options|choices|categories|labels|classes|allowed values|possible values|choose from|pick from|select from)\b[^:\n]{0,60}:\s*([^]{1,4000})/i,
  /\b(?:one|any|some) of(?: the)?\s+((?:["'`[(]|[\w&/ -]+,)[^\n]{1,2000})/i,
  /\b(?:choose|pick|select) (?:between|from|among)\s+([^:\n]{1,400})/i,
  /\b(?:classify|categori[sz]e|label|rate|mark|tag)\b[^\n:]{0,200}?\b(?:as|into|in)\s+(?:either\s+)?([^\n:]{1,400}\bor\b[^\n:.]{1,80})/i,
];
const MOST_OPTIONS = 200;
const LONGEST_OPTION = 80;

/**
 * The options a text names, as in `one of: hot, warm, cold`, `Choose from:` with a bullet on each line, or
 * `classify it as hot, warm or cold`; none where it names fewer than two.
 */
export function findOptions(text: string): string[] {
  for (const pattern of LISTS) {
    const list = pattern.exec(text)?.[1];
    const options = list === undefined ? [] : parseList(list);
    if (options.length >= 2) return options;
  }
  return [];
}

/**
 * One option, always the same for the same data: one that occurs in the data where there is one (the longest of
 * them), else one chosen by hash.
 */
export function chooseOption(options: readonly string[], data: string): string {
  const lowered = ` ${data.toLowerCase()} `;
  const present = options.filter((option) => option !== '' && occurs(lowered, option.toLowerCase()));
  return (
    best(present, (option) => option.length) ??
    best(options, (option) => hashNumber(`${data}\u0000${option}`)) ??
    ''
  );
}

/** Several options: those that occur in the data, else two chosen by hash; in the order given. */
export function chooseOptions(options: readonly string[], data: string): string[] {
  const lowered = ` ${data.toLowerCase()} `;
  const present = options.filter((option) => option !== '' && occurs(lowered, option.toLowerCase()));
  if (present.length > 0) return present;
  const first = chooseOption(options, data);
  const second = chooseOption(
    options.filter((option) => option !== first),
    data,
  );
  return options.filter((option) => option === first || option === second);
}

function occurs(data: string, option: string): boolean {
  for (let at = data.indexOf(option); at >= 0; at = data.indexOf(option, at + 1)) {
    if (isEdge(data[at - 1]) && isEdge(data[at + option.length])) return true;
  }
  return false;
}

function isEdge(character: string | undefined): boolean {
  return character === undefined || !/[\p{L}\p{N}]/u.test(character);
}

function best(options: readonly string[], weigh: (option: string) => number): string | undefined {
  let chosen: string | undefined;
  for (const option of options) if (chosen === undefined || weigh(option) > weigh(chosen)) chosen = option;
  return chosen;
}

function parseList(list: string): string[] {
  const lines = list.split(/\r?\n/);
  const first = lines[0]?.trim() ?? '';
  const options =
    first === ''
      ? bulletsOf(lines.slice(1))
      : first.startsWith('-')
        ? bulletsOf(lines)
        : inlineOptions(first);
  return [...new Set(options)].slice(0, MOST_OPTIONS);
}

function bulletsOf(lines: string[]): string[] {
  const found: string[] = [];
  for (const line of lines) {
    const bullet = /^\s*(?:[-*•]|\d+[.)])\s+(.+)$/.exec(line)?.[1];
    if (bullet !== undefined) found.push(clean(bullet));
    else if (line.trim() !== '' || found.length > 0) break;
  }
  return found.filter(isOption);
}

function inlineOptions(line: string): string[] {
  const quoted = [...line.matchAll(/"([^"\n]{1,80})"|`([^`\n]{1,80})`|(?<![\p{L}\p{N}])'([^'\n]{1,80})'/gu)];
  if (quoted.length >= 2)
    return quoted.map((match) => (match[1] ?? match[2] ?? match[3] ?? '').trim()).filter(isOption);
  const sentence = line.split(/(?<=[^.\s]{2})[.!?](?:\s|$)/)[0] ?? line;
  const parts = sentence.split(/\s*[,;|]\s*/);
  const last = parts.pop() ?? '';
  return [...parts, ...last.split(/^(?:or|and)\s+|\s+or\s+/i)].map(clean).filter(isOption);
}

function clean(option: string): string {
  return option
    .trim()
    .replace(/^(?:or|and)\s+/i, '')
    .replace(/^[[("'`]+|[\])"'`.]+$/g, '')
    .trim();
}

function isOption(option: string): boolean {
  return option !== '' && option.length <= LONGEST_OPTION;
}
