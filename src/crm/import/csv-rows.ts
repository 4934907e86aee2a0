import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { parse, type CsvError, type Info, type Parser } from 'csv-parse';
import { FieldsmithError } from '#libs/common';
import { Utf8Lines } from './utf8-lines.js';

/** Bytes of one line, with everything quoted in it. */
const MAX_LINE_BYTES = 1_000_000;

/** One row of a table, and the line of the file that it starts on. */
export interface CsvRow {
  line: number;
  cells: string[];
}

/** A table that ends inside of quotes. */
export interface UnclosedQuote {
  unclosedFrom: number;
}

interface ParsedRow {
  record: string[];
  info: Info;
}

/**
 * Reads a table from a stream, row by row, at the pace of whoever takes the rows. Stray quotes inside a cell are text,
 * a row may have any number of cells, and empty lines are skipped. A last row whose quote never closes comes as the
 * line that it starts on.
 *
 * @throws FieldsmithError `csv_malformed`, 422 for a line that is too long or text that is not UTF-8;
 * `client_closed`, 499 when the sender goes away.
 */
export async function* csvRows(source: Readable): AsyncGenerator<CsvRow | UnclosedQuote> {
  let isUnclosed = false;
  const parser = makeParser(() => (isUnclosed = true));
  const lines = new Utf8Lines();
  const release = connect(source, lines, parser);
  let last: Info | undefined;
  try {
    for await (const { record, info } of parser as AsyncIterable<ParsedRow>) {
      last = info;
      yield { line: info.lines - lineBreaks(record), cells: record };
    }
    if (isUnclosed) yield { unclosedFrom: lineAfter(last, parser.info) };
  } catch (error) {
    throw readable(error);
  } finally {
    release();
  }
}

function makeParser(onUnclosed: () => void): Parser {
  return parse({
    info: true,
    record_delimiter: '\n',
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_LINE_BYTES,
    skip_records_with_error: true,
    on_skip: (error) => {
      // The parser cannot go on after a line that is too long; throwing here makes it stop.
      if (error?.code !== 'CSV_QUOTE_NOT_CLOSED') throw error;
      onUnclosed();
    },
  });
}

/** Leads the source through; not with `pipeline`, which would cut the connection before an answer could be sent. */
function connect(source: Readable, lines: Utf8Lines, parser: Parser): () => void {
  const fail = (error: Error) => parser.destroy(error);
  const closed = () => {
    if (!source.readableEnded && !(source as Partial<IncomingMessage>).complete) fail(clientClosed());
  };
  source.once('error', () => fail(clientClosed()));
  source.once('close', closed);
  lines.once('error', fail);
  source.pipe(lines).pipe(parser);
  return () => {
    source.off('close', closed);
    source.unpipe(lines);
    lines.destroy();
    parser.destroy();
    // What is still on its way is let through, so that the sender gets to read the answer.
    source.resume();
  };
}

function lineBreaks(cells: string[]): number {
  return cells.reduce((sum, cell) => (cell.includes('\n') ? sum + cell.split('\n').length - 1 : sum), 0);
}

function lineAfter(last: Info | undefined, end: Info): number {
  return (last?.lines ?? 0) + 1 + end.empty_lines - (last?.empty_lines ?? 0);
}

function clientClosed(): FieldsmithError {
  return new FieldsmithError('client_closed', 'The sender closed the connection.', { status: 499 });
}

function readable(error: unknown): unknown {
  const { code, lines } = error as Partial<CsvError> & { lines?: number };
  if (code !== 'CSV_MAX_RECORD_SIZE') return error;
  const limit = MAX_LINE_BYTES.toLocaleString('en');
  const message = `The row that ends on line ${lines} is longer than ${limit} bytes: is a quote before it not closed?`;
  return new FieldsmithError('csv_malformed', message, { status: 422 });
}
