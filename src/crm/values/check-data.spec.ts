import type { Json } from '#libs/common';
import type { FieldType } from '#libs/host';
import type { CrmField } from '../pipelines/pipeline.js';
import { dataErrors } from './check-data.js';
import { didYouMean } from './nearest-names.js';

const field = (slug: string, fieldType: FieldType, required = false): CrmField => {
  return { slug, name: slug.toUpperCase(), fieldType, required, sensitive: false, options: {} };
};
const fields = [field('name', 'text', true), field('company', 'text'), field('size', 'number')];
const pathsOf = (data: Record<string, Json>, isNew = true) =>
  dataErrors(fields, data, isNew).map(({ path }) => path);

describe('dataErrors', () => {
  it('finds nothing wrong with good values', () => {
    expect(pathsOf({ name: 'Ann', size: 3 })).toEqual([]);
    expect(pathsOf({ size: null }, false)).toEqual([]);
  });

  it('tells everything at once', () => {
    expect(pathsOf({ nmae: 'x', size: 'x', company: 1 })).toEqual([
      'data.nmae',
      'data.name',
      'data.company',
      'data.size',
    ]);
  });

  it('suggests the nearest names', () => {
    const [error] = dataErrors(fields, { name: 'x', compny: 1 }, true);
    expect(error?.message).toBe('There is no field "compny"; did you mean "company"?');
  });

  it.each([[null], [''], ['  ']])('wants a required field to have a value, not %p', (value) => {
    expect(pathsOf({ name: value })).toEqual(['data.name']);
    expect(pathsOf({ name: value }, false)).toEqual(['data.name']);
  });

  it('wants no required field of a record that has it already', () => expect(pathsOf({}, false)).toEqual([]));

  it('takes names that every object has for what they are: unknown', () => {
    expect(pathsOf({ name: 'x', toString: 1, hasOwnProperty: 2 })).toEqual([
      'data.toString',
      'data.hasOwnProperty',
    ]);
  });

  it('does not answer a flood with a flood', () => {
    const flood = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`unknown_${n}`, n]));
    expect(pathsOf({ name: 'x', ...flood })).toHaveLength(21);
    expect(
      JSON.stringify(dataErrors(fields, { name: 'x', ['y'.repeat(1_000_000)]: 1 }, true)).length,
    ).toBeLessThan(500);
  });
});

describe('didYouMean', () => {
  it('names up to three, the nearest first', () => {
    expect(didYouMean('nam', ['same', 'name', 'names', 'nama', 'other'])).toBe(
      '; did you mean "name" or "nama" or "same"?',
    );
  });
  it('says nothing where nothing is near', () => expect(didYouMean('zzzzzz', ['name'])).toBe(''));
});
