import { newId } from '#libs/common';
import { FIELD_TYPES, type FieldType } from '#libs/host';
import { fieldErrors, typeChangeErrors } from './field-rules.js';

function pathsOf(fieldType: FieldType, options: Record<string, unknown> = {}, more = {}): string[] {
  const field = { fieldType, options, required: false, hasAiConfig: false, ...more };
  return fieldErrors(field).map(({ path }) => path);
}

describe('fieldErrors', () => {
  it.each<[FieldType, Record<string, unknown>]>([
    ['text', {}],
    ['select', { choices: ['a', 'b'] }],
    ['currency', { currency: 'EUR' }],
    ['currency', {}],
    ['relation', { pipeline_id: newId() }],
  ])('accepts a %s with %p', (type, options) => expect(pathsOf(type, options)).toEqual([]));

  it.each<[FieldType, Record<string, unknown>, string[]]>([
    ['select', {}, ['options.choices']],
    ['select', { choices: [] }, ['options.choices']],
    ['multi_select', { choices: ['a', 'a'] }, ['options.choices']],
    ['select', { choices: [' a'] }, ['options.choices']],
    ['select', { choices: [1] }, ['options.choices']],
    ['select', { choices: 'ab' }, ['options.choices']],
    ['currency', { currency: 'euro' }, ['options.currency']],
    ['relation', {}, ['options.pipeline_id']],
    ['text', { choices: ['a'] }, ['options.choices']],
    ['select', { choices: ['a'], color: 1 }, ['options.color']],
  ])('refuses a %s with %p', (type, options, paths) => expect(pathsOf(type, options)).toEqual(paths));

  it('wants an ai_config for an AI field and for no other', () => {
    expect(pathsOf('ai_generated')).toEqual(['ai_config']);
    expect(pathsOf('ai_generated', {}, { hasAiConfig: true })).toEqual([]);
    expect(pathsOf('text', {}, { hasAiConfig: true })).toEqual(['ai_config']);
    expect(pathsOf('ai_generated', {}, { hasAiConfig: true, required: true })).toEqual(['required']);
  });
});

describe('typeChangeErrors', () => {
  it.each<[FieldType, FieldType]>([
    ['text', 'text'],
    ['text', 'textarea'],
    ['number', 'currency'],
    ['email', 'text'],
    ['select', 'textarea'],
  ])('lets %s become %s', (from, to) => expect(typeChangeErrors(from, to)).toEqual([]));

  it.each<[FieldType, FieldType]>([
    ['textarea', 'text'],
    ['text', 'number'],
    ['text', 'ai_generated'],
    ['ai_generated', 'text'],
    ['relation', 'text'],
  ])('does not let %s become %s', (from, to) => expect(typeChangeErrors(from, to)).toHaveLength(1));

  it('lets no plain field become an AI field or the other way round', () => {
    for (const type of FIELD_TYPES.filter((other) => other !== 'ai_generated')) {
      expect(typeChangeErrors(type, 'ai_generated')).toHaveLength(1);
      expect(typeChangeErrors('ai_generated', type)).toHaveLength(1);
    }
  });
});
