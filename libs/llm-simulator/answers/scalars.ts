import type { Reading } from './facts.js';
import { hashNumber } from './hash.js';

const ISO_DATE = /\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])\b/;
const RANGES = [
  /\b(?:from|between)\s+(-?\d+(?:\.\d+)?)\s*(?:to|and|-|–)\s*(-?\d+(?:\.\d+)?)/i,
  /\b(-?\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(\d+(?:\.\d+)?)\b/i,
];

/** A number: one in the range the prompt names, else the fact the prompt asks for by its label, else one by hash. */
export function answerNumber(system: string, reading: Reading): number {
  const { facts, instructions } = reading;
  const seed = `${instructions}\u0000${facts.map(({ value }) => value).join('\u0000')}`;
  const range = RANGES.map((pattern) => pattern.exec(instructions) ?? pattern.exec(system)).find(
    (found) => found,
  );
  const low = Number(range?.[1]);
  const high = Number(range?.[2]);
  if (range && low < high && !(low > 1900 && high < 2200)) return numberBetween(low, high, seed);
  const asked = facts.find((fact) => numberIn(fact.value) !== undefined && names(instructions, fact.label));
  return (asked && numberIn(asked.value)) ?? numberBetween(1, 100, seed);
}

function numberBetween(low: number, high: number, seed: string): number {
  if (high - low > 1) return Math.ceil(low) + (hashNumber(seed) % (Math.floor(high) - Math.ceil(low) + 1));
  return Math.round((low + ((hashNumber(seed) % 101) / 100) * (high - low)) * 100) / 100;
}

function names(text: string, label: string): boolean {
  return text.toLowerCase().includes(label.toLowerCase());
}

/** The number a value is, with its currency sign and thousands separators taken off. */
export function numberIn(value: string): number | undefined {
  const match = /^[^\d-]{0,5}(-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?)\s*[\p{L}%€$£]{0,10}$/u.exec(
    value.trim(),
  );
  return match?.[1] === undefined ? undefined : Number(match[1].replaceAll(',', ''));
}

/** A date: the first one among the facts, else one by hash. */
export function answerDate(reading: Reading): string {
  const text = [...reading.facts.map(({ value }) => value), reading.instructions].join('\n');
  return ISO_DATE.exec(text)?.[0] ?? dateBy(text);
}

/** A date in 2025 or 2026 that depends on nothing but the text. */
export function dateBy(text: string): string {
  return new Date(Date.UTC(2025, 0, 1) + (hashNumber(text) % 730) * 86_400_000).toISOString().slice(0, 10);
}

/** Yes or no, by hash, in the words the prompt uses. */
export function answerBoolean(system: string, reading: Reading): string {
  const yes =
    hashNumber(`${reading.instructions}\n${reading.facts.map(({ value }) => value).join('\n')}`) % 2 === 0;
  const both = `${system}\n${reading.instructions}`;
  const saysYes = /\byes\b/i.test(both) && !/\btrue\b/i.test(both);
  if (!saysYes) return String(yes);
  return yes ? 'Yes' : 'No';
}
