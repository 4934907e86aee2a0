import { Readable } from 'node:stream';
import { Logger, StreamableFile } from '@nestjs/common';
import { csvRow } from './csv-row.js';
import { loggableError } from './loggable-error.js';

/** Some rows of a table, each a list of cells. */
type Rows = Iterable<readonly unknown[]>;

/**
 * What a controller returns to send a table as a CSV file of any size: pages are asked for as fast as the client reads.
 * Where one cannot be read the connection breaks off, so that no half table passes for a whole one.
 *
 * @param name of the file, without its ending.
 * @example return csvFile('usage', ['day', 'cost_usd'], pages());
 */
export function csvFile(
  name: string,
  columns: readonly string[],
  pages: AsyncIterable<Rows>,
): StreamableFile {
  const file = new StreamableFile(Readable.from(textOf(columns, pages)), {
    type: 'text/csv; charset=utf-8; header=present',
    disposition: `attachment; filename="${name}.csv"`,
  });
  const logger = new Logger('csvFile');
  return file.setErrorLogger((error) =>
    logger.error({ message: 'a CSV file broke off', file: name, err: loggableError(error) }),
  );
}

async function* textOf(columns: readonly string[], pages: AsyncIterable<Rows>): AsyncGenerator<string> {
  yield csvRow(columns);
  for await (const rows of pages) {
    const text = [...rows].map(csvRow).join('');
    if (text !== '') yield text;
  }
}
