import { QueryFailedError } from 'typeorm';
import { isDatabaseAway } from './database-away.js';

function coded(code: string, message = 'an error'): Error {
  return Object.assign(new Error(message), { code });
}

describe('isDatabaseAway', () => {
  it.each([
    ['a refused connection', coded('ECONNREFUSED')],
    ['a connection that was reset', coded('ECONNRESET')],
    ['a server that stops', coded('57P01', 'terminating connection due to administrator command')],
    ['a server that starts', coded('57P03', 'the database system is starting up')],
    ['a connection that broke', new Error('Connection terminated unexpectedly')],
    ['one that broke before', new Error('Client has encountered a connection error and is not queryable')],
    ['the same within an error of TypeORM', new QueryFailedError('SELECT 1', [], coded('57P02'))],
  ])('%s: yes', (_, error) => expect(isDatabaseAway(error)).toBe(true));

  it.each([
    ['a deadlock', coded('40P01')],
    ['a value that is there already', new QueryFailedError('INSERT', [], coded('23505'))],
    ['an error of the program', new TypeError('Connection is not a function')],
    ['no error at all', 'ECONNREFUSED'],
  ])('%s: no', (_, error) => expect(isDatabaseAway(error)).toBe(false));
});
