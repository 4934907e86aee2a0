import { InvalidInputError } from '#libs/common';
import type { FieldType } from '#libs/host';
import type { CrmField } from '../pipelines/pipeline.js';
import { readHeader } from './header.js';
import { readRow } from './read-row.js';

const field = (slug: string, name: string, fieldType: FieldType, required = false): CrmField => {
  return { slug, name, fieldType, required, sensitive: false, options: {} };
};
const fields = [
  field('name', 'Full name', 'text', true),
  field('size', 'Size', 'number'),
  field('note', 'Note', 'text'),
  field('note_2', 'Note', 'text'),
];
const errorsOf = (cells: string[]) => {
  try {
    readHeader(fields, cells);
    return [];
  } catch (error) {
    return (error as InvalidInputError).errors.map(({ path, message }) => `${path} ${message}`);
  }
};

describe('readHeader', () => {
  it('knows columns by slug, or by name in any case', () => {
    expect(readHeader(fields, ['SIZE', ' full NAME ', 'note_2'])).toEqual(['size', 'name', 'note_2']);
  });

  it('names every column it cannot take', () => {
    expect(errorsOf(['name', 'nmae', '', 'Full Name', 'note', 'NOTE'])).toEqual([
      'header.2 There is no field "nmae"; did you mean "name" or "note" or "Note"?',
      'header.3 The column has no name.',
      'header.4 "name" is column 1 already.',
      'header.6 "NOTE" names several fields: use the slug, note or note_2.',
    ]);
  });
});

describe('readRow', () => {
  const read = (...cells: string[]) => readRow(fields, ['name', 'size'], cells);

  it('reads values by type and leaves empty cells out', () => {
    expect(read('Ann', '1,234')).toEqual({ values: { name: 'Ann', size: 1234 } });
    expect(read('Ann', ' ')).toEqual({ values: { name: 'Ann' } });
  });

  it('tells everything wrong with a row, each once', () => {
    expect(read('', 'many')).toEqual({
      errors: [
        { path: 'data.size', message: 'Must be a number such as 1,234.5.' },
        { path: 'data.name', message: '"Full name" is required.' },
      ],
    });
  });

  it('refuses rows of another width and rows without anything', () => {
    expect(read('Ann')).toEqual({
      errors: [{ path: '', message: 'The row has 1 cells, the header has 2.' }],
    });
    expect(read(' ', '')).toEqual({ errors: [{ path: '', message: 'The row is empty.' }] });
  });
});
