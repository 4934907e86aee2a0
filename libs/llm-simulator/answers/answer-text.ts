import { factObject, htmlOf, markdownOf, xmlOf, yamlOf } from './documents.js';
import { readPrompt, type Reading } from './facts.js';
import { intentOf } from './intent.js';
import type { JsonSchema } from './json-schema.js';
import { chooseOption, chooseOptions, findOptions } from './options.js';
import { bulletList, email, oneSentence, summarise, tagline } from './prose.js';
import { satisfySchema } from './satisfy-schema.js';
import { answerBoolean, answerDate, answerNumber } from './scalars.js';

/** What an answer is made from. */
export interface Question {
  /** The system message; empty where there is none. */
  system: string;
  /** The user's messages. */
  prompt: string;
  /** The JSON Schema the answer must satisfy. */
  schema?: JsonSchema;
  /** Whether the answer must be a JSON object, of any shape. */
  wantsJson: boolean;
}

/**
 * The answer to a question, made from nothing but the question: equal questions have equal answers.
 *
 * @example
 * answerText({ system: '', prompt: 'Summarise 3M: Name: 3M, Sector: Industrials, Founded: 1902', wantsJson: false })
 * // '3M is in Industrials. Founded: 1902.'
 */
export function answerText(question: Question): string {
  const reading = readPrompt(question.prompt);
  const schema = question.schema ?? (question.wantsJson ? schemaIn(question.system) : undefined);
  if (schema) return JSON.stringify(satisfySchema(schema, reading));
  if (question.wantsJson) return JSON.stringify(factObject(reading, question.system));
  const system = question.system.slice(0, 60_000);
  return withinWords(
    freeText(system, reading, question.prompt.slice(0, 60_000)),
    `${system}\n${reading.instructions}`,
  );
}

function freeText(system: string, reading: Reading, prompt: string): string {
  const inPrompt = findOptions(prompt);
  const options = inPrompt.length > 0 ? inPrompt : findOptions(system);
  const intent = intentOf(system, reading.instructions, options);
  switch (intent) {
    case 'option':
      return chooseOption(options, dataOf(reading));
    case 'options':
      return listed(chooseOptions(options, dataOf(reading)), `${system}\n${prompt}`);
    case 'json':
      return jsonAsked(system, reading);
    case 'yaml':
      return yamlOf(factObject(reading, system));
    case 'xml':
      return xmlOf(factObject(reading, system));
    case 'html':
      return htmlOf(reading);
    case 'markdown':
      return markdownOf(reading);
    case 'number':
      return String(answerNumber(system, reading));
    case 'boolean':
      return answerBoolean(system, reading);
    case 'date':
      return answerDate(reading);
    case 'tagline':
      return tagline(reading);
    case 'sentence':
      return oneSentence(reading);
    case 'email':
      return email(reading);
    case 'list':
      return bulletList(reading);
    case 'summary':
      return summarise(reading);
  }
}

function jsonAsked(system: string, reading: Reading): string {
  const schema = schemaIn(system) ?? schemaIn(reading.instructions);
  return JSON.stringify(schema ? satisfySchema(schema, reading) : factObject(reading, system));
}

/** The data of a prompt, without its instructions where it has facts: those name every option. */
function dataOf({ facts, instructions }: Reading): string {
  if (facts.length > 0) return facts.map(({ value }) => value).join('\n');
  return (
    instructions.split(/\b(?:one|any) of\b|\b(?:as|into) (?:either )?(?=[^\n]{0,200}\bor\b)|:\s/i)[0] ?? ''
  );
}

function listed(options: string[], asked: string): string {
  return /\bjson\b|\barray\b/i.test(asked) ? JSON.stringify(options) : options.join(', ');
}

/** A JSON Schema written into a message, as for servers without structured output. */
function schemaIn(text: string): JsonSchema | undefined {
  const start = text.indexOf('{');
  const end = text.lastIndexOf('}');
  if (start < 0 || end < start) return undefined;
  try {
    const value: unknown = JSON.parse(text.slice(start, end + 1));
    return isSchema(value) ? value : undefined;
  } catch {
    // Braces that are no JSON are ordinary text.
    return undefined;
  }
}

function isSchema(value: unknown): value is JsonSchema {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return ['type', 'properties', 'enum', 'anyOf', 'oneOf', 'allOf', '$ref'].some(
    (keyword) => keyword in value,
  );
}

const WORD_LIMIT =
  /\b(?:at most|no more than|up to|max(?:imum)?(?: of)?|under|within|in|fewer than|less than)\s+(\d{1,4})\s+words?\b/i;

function withinWords(text: string, asked: string): string {
  const limit = Number(WORD_LIMIT.exec(asked)?.[1]);
  const words = text.split(/\s+/);
  if (!(limit > 0) || words.length <= limit) return text;
  const kept = words
    .slice(0, limit)
    .join(' ')
    .replace(/[,;:]$/, '');
  return /[.!?]$/.test(kept) ? kept : `${kept}.`;
}
