import { factOf, namesIn, type Fact, type Reading } from './facts.js';
import { pickBy } from './hash.js';

const SECTOR = /^(gics )?(sector|industry|vertical|market|branch)$/i;
const SUB_SECTOR = /^(gics )?(sub[- ]?(industry|sector)|segment)$/i;
const PLACE = /headquarter|location|city|country|based|address|hq/i;
const SINCE = /founded|established|since|incorporated/i;
const LONGEST_VALUE = 240;
const FACTS_IN_SUMMARY = 6;

/** A few sentences that repeat the facts: the sector first, the others as `Label: value.` */
export function summarise(reading: Reading): string {
  const { facts, subject } = reading;
  if (facts.length === 0) return aboutNothing(reading);
  const sector = factOf(facts, SECTOR);
  const subSector = sector && factOf(facts, SUB_SECTOR);
  const opening = sector
    ? `${subject} is in ${plain(sector)}${subSector ? ` (${plain(subSector)})` : ''}.`
    : openingWithout(subject, facts);
  const said = new Set([subject, sector?.value, subSector?.value]);
  const others = facts.filter((fact) => !said.has(fact.value) && !opening.includes(`${fact.label}: `));
  return [opening, ...others.slice(0, FACTS_IN_SUMMARY).map((fact) => `${fact.label}: ${plain(fact)}.`)].join(
    ' ',
  );
}

function openingWithout(subject: string, facts: Fact[]): string {
  const fact = facts.find(({ value }) => value !== subject);
  return fact ? `${subject}: ${lowerFirst(fact.label)} ${plain(fact)}.` : `The record is about ${subject}.`;
}

function lowerFirst(label: string): string {
  return /^\p{Lu}\p{Ll}/u.test(label) ? label.charAt(0).toLowerCase() + label.slice(1) : label;
}

/** One sentence from the facts, for a pitch or a one-line description. */
export function oneSentence(reading: Reading): string {
  const { facts, subject } = reading;
  if (facts.length === 0) return aboutNothing(reading);
  const kind = factOf(facts, SUB_SECTOR) ?? factOf(facts, SECTOR);
  const place = factOf(facts, PLACE);
  const since = factOf(facts, SINCE);
  const parts = [
    kind ? ` in ${plain(kind)}` : '',
    place ? `, based in ${plain(place)}` : '',
    since ? `, founded in ${plain(since)}` : '',
  ];
  if (kind || place || since) return `${subject} is a company${parts.join('')}.`;
  const told = facts.filter(({ value }) => value !== subject).slice(0, 2);
  return `${subject} stands out with ${told.map((fact) => `${lowerFirst(fact.label)} ${plain(fact)}`).join(' and ') || 'its record'}.`;
}

/** A short line to advertise with. */
export function tagline(reading: Reading): string {
  const { facts, subject, instructions } = reading;
  const theme = factOf(facts, SUB_SECTOR) ?? factOf(facts, SECTOR);
  const since = factOf(facts, SINCE);
  const place = factOf(facts, PLACE);
  const what = theme ? plain(theme) : (namesIn(instructions).find((name) => name !== subject) ?? 'Work');
  const lines = [
    `${subject}: ${what} you can build on.`,
    `${subject} – ${what}, made to last.`,
    `${what}, the ${subject} way.`,
  ];
  if (since) lines.push(`${subject}: ${what} since ${plain(since)}.`);
  if (place) lines.push(`${subject}: ${what} from ${plain(place)}.`);
  return pickBy(lines, `${subject} ${what} ${instructions}`);
}

/** A short message to a person, for prompts that ask for an e-mail. */
export function email(reading: Reading): string {
  const person = factOf(reading.facts, /contact|first name|person/i);
  const greeting = person ? `Hello ${plain(person)},` : 'Hello,';
  return `${greeting}\n\nI looked at ${reading.subject} and would like to talk. ${summarise(reading)}\n\nWould a short call this week suit you?\n\nKind regards`;
}

/** The facts as a list, one on each line. */
export function bulletList(reading: Reading): string {
  const { facts } = reading;
  if (facts.length === 0) return `- ${aboutNothing(reading)}`;
  return facts
    .slice(0, 8)
    .map((fact) => `- ${fact.label}: ${plain(fact)}`)
    .join('\n');
}

function aboutNothing({ subject, instructions }: Reading): string {
  const names = namesIn(instructions).filter((name) => name !== subject);
  const place = /\b(in|from|at)\s+$/.exec(instructions.slice(0, instructions.indexOf(names[0] ?? '')))?.[1];
  if (place && names[0]) return `${subject} is ${place} ${names[0]}.`;
  if (names.length > 0) return `${subject} is connected with ${joined(names.slice(0, 4))}.`;
  if (subject !== 'This record') return `${subject} is described only by its name in what was given.`;
  const asked = instructions.replace(/\s+/g, ' ').trim().slice(0, 160);
  return asked === '' ? 'There is nothing to go on yet.' : `Here is a short answer to: ${asked}`;
}

function joined(items: string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1) ?? ''}`;
}

/** A value as it stands inside a sentence. */
export function plain({ value }: Fact): string {
  const short =
    value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE).replace(/\s+\S*$/, '')} …` : value;
  return short.replace(/[.!?]$/, '');
}
