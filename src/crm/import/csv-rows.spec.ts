import { Readable } from 'node:stream';
import fc from 'fast-check';
import { csvRows, type CsvRow, type UnclosedQuote } from './csv-rows.js';

async function read(...chunks: (string | Buffer)[]): Promise<(CsvRow | UnclosedQuote)[]> {
  const rows: (CsvRow | UnclosedQuote)[] = [];
  for await (const row of csvRows(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))) rows.push(row);
  return rows;
}

const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;

describe('csvRows', () => {
  it('reads cells, and says where each row starts', async () => {
    expect(await read('a,b\r\n1,"x, ""y"""\r\n\r\n"two\r\nlines",2\r\n3')).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['1', 'x, "y"'] },
      { line: 4, cells: ['two\nlines', '2'] },
      { line: 6, cells: ['3'] },
    ]);
  });

  it('takes a stray quote for text, and loses no other line over it', async () => {
    const rows = await read('a\n5" pipe\n"x"y\nlast\n');
    expect(rows.map((row) => 'cells' in row && row.cells[0])).toEqual([
      'a',
      '5" pipe',
      expect.stringContaining('y'),
      'last',
    ]);
  });

  it('drops a byte order mark and reads nothing from nothing', async () => {
    expect(await read('\ufeffa\n')).toEqual([{ line: 1, cells: ['a'] }]);
    expect(await read('')).toEqual([]);
    expect(await read('\ufeff\n\n')).toEqual([]);
  });

  it('tells where a quote starts that never closes', async () => {
    expect(await read('a\n1\n\n"open\nand on')).toEqual([
      { line: 1, cells: ['a'] },
      { line: 2, cells: ['1'] },
      { unclosedFrom: 4 },
    ]);
  });

  it('refuses a line beyond a megabyte, quoted or not', async () => {
    await expect(read('a\n', 'x'.repeat(1_000_100))).rejects.toMatchObject({
      code: 'csv_malformed',
      status: 422,
    });
    await expect(read('a\n"', 'x\n'.repeat(600_000))).rejects.toThrow(/is a quote before it not closed/);
  });

  it('refuses what is not UTF-8', async () => {
    await expect(read(Buffer.from('M\xfcller\n', 'latin1'))).rejects.toMatchObject({ code: 'csv_malformed' });
    await expect(read(Buffer.from([0xff, 0xfe, 0x61, 0]))).rejects.toThrow(/not UTF-8/);
  });

  it('stops when the sender goes away', async () => {
    const source = new Readable({ read: () => undefined });
    source.push('a\n1\nand more to come');
    const rows = csvRows(source);
    expect(await rows.next()).toEqual({ done: false, value: { line: 1, cells: ['a'] } });
    const rest = (async () => {
      for await (const row of rows) expect(row).toEqual({ line: 2, cells: ['1'] });
    })();
    source.destroy();
    await expect(rest).rejects.toMatchObject({ code: 'client_closed' });
  });

  it('reads back any table, however it is cut into chunks', async () => {
    const cell = fc.string({
      unit: fc.constantFrom('a', 'ü', '👩', '"', ',', '\n', '\r\n', ' '),
      maxLength: 6,
    });
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.integer({ min: 1, max: 9 }),
        async (cells, end, size) => {
          const text = Buffer.from(cells.map((row) => row.map(quoted).join(',') + end).join(''));
          const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, n) =>
            text.subarray(n * size, (n + 1) * size),
          );
          const expected: CsvRow[] = [];
          let line = 1;
          for (const row of cells) {
            const read = row.map((value) => value.replace(/\r\n?/g, '\n'));
            expected.push({ line, cells: read });
            line += 1 + read.join('').split('\n').length - 1;
          }
          expect(await read(...chunks)).toEqual(expected);
        },
      ),
    );
  });
});
