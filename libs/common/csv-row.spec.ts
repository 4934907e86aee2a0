import { csvRow } from './csv-row.js';

describe('csvRow', () => {
  it('quotes what would end a cell or a line, and ends with CRLF', () => {
    expect(csvRow(['a', 'b,c', 'say "hi"', 'two\nlines', ' kept '])).toBe(
      'a,"b,c","say ""hi""","two\nlines", kept \r\n',
    );
    expect(csvRow([])).toBe('\r\n');
  });

  it.each(['=1+1', '+1', '-1+cmd', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '＝1', '=HYPERLINK("http://x","y")'])(
    'takes the sting out of %p',
    (text) => {
      const line = csvRow([text]).slice(0, -2);
      const read = line.startsWith('"') ? line.slice(1, -1).replaceAll('""', '"') : line;
      expect(read).toBe(`'${text}`);
    },
  );

  it('leaves numbers as they are, writes times as ISO 8601, nothing as nothing, and the rest as JSON', () => {
    const at = new Date('2026-11-20T12:00:00Z');
    expect(csvRow([-5, 0.25, -7n, true, at, null, undefined, { a: '=1' }])).toBe(
      '-5,0.25,-7,true,2026-11-20T12:00:00.000Z,,,"{""a"":""=1""}"\r\n',
    );
  });
});
