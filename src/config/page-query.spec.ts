import { InvalidInputError, newId } from '#libs/common';
import { readPageQuery, toPage } from './page-query.js';

function pathsOf(url: string, hasFilters = false): string[] {
  try {
    readPageQuery(url, hasFilters);
    return [];
  } catch (error) {
    return (error as InvalidInputError).errors.map(({ path }) => path);
  }
}

describe('readPageQuery', () => {
  it('has defaults', () => {
    expect(readPageQuery('/api/v1/records', false)).toEqual({ limit: 50, filter: new Map() });
  });

  it('reads filters, encoded or not', () => {
    const page = readPageQuery('/x?filter[city]=Ulm%26&filter%5Bsize%5D=3&limit=7', true);
    expect(page).toEqual({
      limit: 7,
      filter: new Map([
        ['city', 'Ulm&'],
        ['size', '3'],
      ]),
    });
  });

  it('goes on where a page ended', () => {
    const items = [newId(), newId(), newId()].map((id) => ({ id }));
    const page = toPage(items, 2);
    expect(page.items).toHaveLength(2);
    expect(readPageQuery(`/x?cursor=${page.next_cursor}`, false).after).toBe(items[1]?.id);
    expect(toPage(items, 3).next_cursor).toBeNull();
    expect(toPage([], 3)).toEqual({ items: [], next_cursor: null });
  });

  it.each([['0'], ['201'], ['-1'], ['1e2'], ['']])('refuses limit=%s', (limit) => {
    expect(pathsOf(`/x?limit=${limit}`)).toEqual(['limit']);
  });

  it('names everything that is wrong', () => {
    expect(pathsOf('/x?limit=x&cursor=%00&filter[a]=1&oder=asc')).toEqual([
      'limit',
      'cursor',
      'filter[a]',
      'oder',
    ]);
  });
});
