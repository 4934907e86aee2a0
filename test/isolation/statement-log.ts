import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OwnPostgres } from '../support/own-postgres.js';

/** A statement that was sent, with its parameters as text; null for NULL. */
export interface Statement {
  text: string;
  values: (string | null)[];
}

interface LogLine {
  user?: string;
  message?: string;
  detail?: string;
}

const FILE = 'statements';
const SENT = /^(?:statement|execute [^:]+): ([\s\S]*)$/;
const PARAMETER = /\$(\d+) = (?:'((?:[^']|'')*)'|NULL)/g;

/** A Postgres that writes down every statement it is sent, as JSON that no text of a statement can break. */
export function loggingPostgres(): Promise<OwnPostgres> {
  return OwnPostgres.started({
    logging_collector: 'on',
    log_destination: 'jsonlog',
    log_directory: '.',
    log_filename: `${FILE}.log`,
    log_rotation_age: '0',
    log_rotation_size: '0',
    log_statement: 'all',
  });
}

/** Every statement of the product's connections since the server started. */
export function statementsSent(postgres: OwnPostgres): Statement[] {
  const { username: owner } = new URL(postgres.database.url);
  return readFileSync(join(postgres.clusterDir, `${FILE}.json`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ user }) => user === owner)
    .flatMap(({ message = '', detail = '' }) => {
      const text = SENT.exec(message)?.[1];
      return text === undefined ? [] : [{ text, values: parametersIn(detail) }];
    });
}

/** `Parameters: $1 = 'it''s', $2 = NULL` as its values. */
function parametersIn(detail: string): (string | null)[] {
  const values: (string | null)[] = [];
  for (const [, number, quoted] of detail.matchAll(PARAMETER))
    values[Number(number) - 1] = quoted === undefined ? null : quoted.replaceAll("''", "'");
  return values;
}
