import { InvalidInputError, type ErrorDetail, type Json } from '#libs/common';
import { answerText } from './answer-text.js';
import { findJson, wrappedValue } from './find-json.js';
import type { Parser, ParserOptions, ResponseSchema } from './parser.js';
import { isObject } from './safe-json.js';
import type { SchemaValidators } from './schema-validators.js';
import { wrappedSchema } from './wrapped-schema.js';

const MISSING_SCHEMA: ErrorDetail = { path: 'schema', message: 'give a JSON Schema for structured output' };

/** Any JSON value; one that matches `schema` if that is given. Code fences and prose around it are left out. */
export function jsonParser(validators: SchemaValidators): Parser {
  return {
    outputType: 'json',
    instructions: ({ schema }) =>
      schema ? bySchema(schema) : 'Answer with one valid JSON value and nothing else.',
    responseSchema: ({ schema }) => schema && responseSchemaOf(schema),
    check: ({ schema }) => (schema === undefined ? [] : checkSchema(validators, schema)),
    parse: (text, { schema }) =>
      schema ? parseBySchema(validators, text, schema) : findJson(answerText(text)),
  };
}

/** A JSON value that matches `schema`, which must be given. */
export function structuredParser(validators: SchemaValidators): Parser {
  return {
    outputType: 'structured',
    instructions: (options) => bySchema(requiredSchema(options)),
    responseSchema: (options) => responseSchemaOf(requiredSchema(options)),
    check: ({ schema }) => (schema === undefined ? [MISSING_SCHEMA] : checkSchema(validators, schema)),
    parse: (text, options) => parseBySchema(validators, text, requiredSchema(options)),
  };
}

function bySchema(schema: Record<string, Json>): string {
  return `Answer with one JSON value and nothing else. It must match this JSON Schema: ${JSON.stringify(schema)}`;
}

function requiredSchema({ schema }: ParserOptions): Record<string, Json> {
  if (!schema) throw new InvalidInputError([MISSING_SCHEMA]);
  return schema;
}

function checkSchema(validators: SchemaValidators, schema: unknown): ErrorDetail[] {
  return isObject(schema) ? validators.check(schema) : [{ path: 'schema', message: 'must be an object' }];
}

function parseBySchema(validators: SchemaValidators, text: string, schema: Record<string, Json>): Json {
  const found = findJson(answerText(text));
  const value = isPlainRoot(schema) && isObject(found) ? wrappedValue(found) : found;
  validators.validate(schema, value);
  return value;
}

/**
 * Providers take only an object at the root. A schema of another type is wrapped, unless it refers to parts
 * of itself, which would then be elsewhere; one that does not say its type is left to the instructions.
 */
function responseSchemaOf(schema: Record<string, Json>): ResponseSchema | undefined {
  if (schema['type'] === 'object') return { name: 'answer', schema };
  const refers = JSON.stringify(schema).includes('"$ref"');
  return isPlainRoot(schema) && !refers ? wrappedSchema(schema) : undefined;
}

/** Whether the schema can only be matched by something that is not an object. */
function isPlainRoot(schema: Record<string, Json>): boolean {
  return typeof schema['type'] === 'string' && schema['type'] !== 'object';
}
