/** One `Label: value` that a prompt holds. */
export interface Fact {
  label: string;
  value: string;
}

/** A prompt taken apart: what it tells about the record, and what it asks for. */
export interface Reading {
  facts: Fact[];
  /** The prompt without its facts. */
  instructions: string;
  /** What the text is about, for the start of a sentence. */
  subject: string;
}

/** A prompt may be megabytes long; an answer needs only its start. */
const LONGEST_PROMPT = 60_000;
const LONGEST_LINE = 2_000;
const MOST_FACTS = 200;

const LINE_LABEL = /^[\s>*•-]*\**([\p{L}\p{N}][\p{L}\p{N} _/&().'#%-]{0,48})\**:\**(?:\s+|$)/u;
const INLINE_LABEL = /(?:[,;.:|]\s+)([\p{Lu}][\p{L}\p{N}_/&()'#%-]*(?: [\p{L}\p{N}_/&()'#%-]+){0,4}):\s+/gu;
/** Labels that are no facts but what the prompt wants; a word that may name a field as well needs its object. */
const ASKS =
  /^(?:(?:summari[sz]e|write|classify|categori[sz]e|describe|generate|draft|extract|translate|explain|answer|reply|respond|return|output|choose|pick|select|decide|options?|choices|categories|allowed|possible|one of|any of|rules?|instructions?|schema|json|keys|fields|the following|here|based|given|is|does|do|what|which|how|please|you|your|errors?)\b|(?:estimate|rate|score|use|give|create|label|tag|using|from|for)\s+(?:the|this|it|its|an?|each|your|me|all|one|these|how)\b)/i;

/**
 * Reads the facts a prompt gives: `Label: value` lines, or several of them in one line divided by commas.
 *
 * @example readPrompt('Summarise 3M: Name: 3M, Sector: Industrials').facts.length // 2
 */
export function readPrompt(prompt: string): Reading {
  const facts: Fact[] = [];
  const rest: string[] = [];
  for (const line of prompt.slice(0, LONGEST_PROMPT).split(/\r?\n/)) {
    const found = factsOfLine(line.slice(0, LONGEST_LINE));
    if (facts.length < MOST_FACTS) facts.push(...found.facts);
    rest.push(found.rest);
  }
  const instructions = rest.filter((line) => line.trim() !== '').join('\n');
  return { facts, instructions, subject: subjectOf(facts, instructions) };
}

interface Mark {
  label: string;
  start: number;
  valueStart: number;
}

function factsOfLine(line: string): { facts: Fact[]; rest: string } {
  const marks = marksOf(line);
  const facts: Fact[] = [];
  let rest = line.slice(0, marks[0]?.start ?? line.length);
  marks.forEach((mark, index) => {
    const end = marks[index + 1]?.start ?? line.length;
    const value = tidy(line.slice(mark.valueStart, end));
    if (value === '' || ASKS.test(mark.label)) rest += line.slice(mark.start, end);
    else facts.push({ label: mark.label, value });
  });
  return { facts, rest };
}

function marksOf(line: string): Mark[] {
  const marks: Mark[] = [];
  const first = LINE_LABEL.exec(line);
  if (first?.[1] !== undefined && wordsOf(first[1]) <= 5) {
    marks.push({ label: first[1].trim(), start: 0, valueStart: first[0].length });
  }
  INLINE_LABEL.lastIndex = 0;
  for (let match = INLINE_LABEL.exec(line); match; match = INLINE_LABEL.exec(line)) {
    const label = match[1] ?? '';
    const valueStart = match.index + match[0].length;
    if (valueStart > (marks.at(-1)?.valueStart ?? -1))
      marks.push({ label, start: match.index + 1, valueStart });
    // The divider of the next pair may be the end of this one.
    INLINE_LABEL.lastIndex = valueStart - 2;
  }
  return marks;
}

function wordsOf(text: string): number {
  return text.trim().split(/\s+/).length;
}

function tidy(value: string): string {
  return value
    .trim()
    .replace(/[,;]$/, '')
    .replace(/^\*+|\*+$/g, '')
    .trim();
}

const NAME_LABELS = [
  /^(full |company |account |lead )?name$/i,
  /^(company|security|account|organi[sz]ation)$/i,
  /\bname$/i,
  /^(title|subject|product|lead|customer|client)$/i,
];
const VERB_OBJECT =
  /\b(?:[Ss]ummari[sz]e|[Dd]escribe|[Cc]lassify|[Cc]ategori[sz]e|for|about|of|on)\s+(?:the\s+)?((?:[\p{Lu}\p{N}][\p{L}\p{N}.&'-]*)(?:\s+(?:[\p{Lu}\p{N}&][\p{L}\p{N}.&'-]*))*)/u;

function subjectOf(facts: Fact[], instructions: string): string {
  for (const pattern of NAME_LABELS) {
    const named = facts.find(({ label, value }) => pattern.test(label) && value.length <= 80);
    if (named) return named.value.replace(/[.!?]$/, (mark) => (/\.\s*\S+\.$/.test(named.value) ? mark : ''));
  }
  const object = VERB_OBJECT.exec(instructions)?.[1]?.replace(/[.'-]+$/, '');
  if (object) return object;
  const short = facts.find(({ value }) => value.length <= 40 && /\p{L}/u.test(value));
  return short?.value ?? namesIn(instructions)[0] ?? 'This record';
}

/** Capitalised names in a text, without the word that starts a sentence. */
export function namesIn(text: string): string[] {
  const found = text.matchAll(
    /(?<=[\p{Ll}\p{N},:]\s)([\p{Lu}\p{N}][\p{L}\p{N}.&'-]*(?:\s[\p{Lu}&][\p{L}\p{N}.&'-]*)*)/gu,
  );
  const names = [...found].map((match) => (match[1] ?? '').replace(/[.'-]+$/, ''));
  return [...new Set(names)].filter((name) => name.length > 1);
}

/** The value of the first fact whose label fits. */
export function factOf(facts: Fact[], label: RegExp): Fact | undefined {
  return facts.find((fact) => label.test(fact.label));
}
