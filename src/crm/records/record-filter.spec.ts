import { InvalidInputError } from '#libs/common';
import type { FieldType } from '#libs/host';
import type { Pipeline } from '../pipelines/pipeline.js';
import { readFilter } from './record-filter.js';

const types: [string, FieldType][] = [
  ['city', 'text'],
  ['size', 'number'],
  ['tags', 'multi_select'],
  ['summary', 'ai_generated'],
  ['extra', 'json'],
];
const pipeline: Pipeline = {
  id: 'p',
  name: 'P',
  slug: 'p',
  version: '1',
  createdAt: '',
  updatedAt: '',
  fields: types.map(([slug, fieldType]) => {
    return { slug, name: slug, fieldType, options: {}, sensitive: false, required: false };
  }),
};
const read = (texts: Record<string, string>) => readFilter(pipeline, new Map(Object.entries(texts)));

describe('readFilter', () => {
  it('reads texts as the types of their fields', () => {
    const filter = read({ city: 'Ulm', size: '1,000', tags: 'a;b', summary: '5' });
    expect(filter).toEqual({ city: ['Ulm'], size: [1000], tags: ['a', 'b'], summary: ['5', 5] });
  });

  it('takes an empty text for no value', () => {
    expect(read({ city: '', summary: '' })).toEqual({ city: [null], summary: [null] });
  });

  it('names every filter that is wrong', () => {
    try {
      read({ ctiy: 'x', size: 'many', extra: '{}', city: '\0' });
      throw new Error('was accepted');
    } catch (error) {
      const { errors } = error as InvalidInputError;
      expect(errors.map(({ path }) => path)).toEqual([
        'filter[ctiy]',
        'filter[size]',
        'filter[extra]',
        'filter[city]',
      ]);
    }
  });
});
