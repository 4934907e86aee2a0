import type { Json } from '#libs/common';
import type { ResponseSchema } from './parser.js';

/** Asks for one plain value as `{"value": …}`, because structured output is always an object. */
export function wrappedSchema(value: Record<string, Json>): ResponseSchema {
  return {
    name: 'answer',
    schema: { type: 'object', properties: { value }, required: ['value'], additionalProperties: false },
  };
}
