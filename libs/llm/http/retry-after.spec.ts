import { retryAfterMs } from './retry-after.js';

const now = Date.parse('2026-11-20T12:00:00Z');

describe('retryAfterMs', () => {
  it.each([
    ['seconds', { 'retry-after': '2' }, 2000],
    ['fractions of seconds', { 'retry-after': '1.25' }, 1250],
    ['at least a second', { 'retry-after': '0' }, 1000],
    ['at least a second, by milliseconds', { 'retry-after-ms': '10' }, 1000],
    ['a date', { 'retry-after': 'Fri, 20 Nov 2026 12:00:05 GMT' }, 5000],
    ['no date that is past', { 'retry-after': 'Fri, 20 Nov 2026 11:00:00 GMT' }, undefined],
    ['milliseconds, before seconds', { 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
    ['seconds where milliseconds make no sense', { 'retry-after-ms': 'soon', 'retry-after': '9' }, 9000],
    ['at most an hour', { 'retry-after': '86400' }, 3_600_000],
    ['at most an hour, by date', { 'retry-after': 'Sat, 21 Nov 2026 12:00:00 GMT' }, 3_600_000],
    ['no nonsense', { 'retry-after': 'later' }, undefined],
    ['nothing negative', { 'retry-after': '-5' }, undefined],
    ['nothing infinite', { 'retry-after': 'Infinity' }, undefined],
    ['nothing', {}, undefined],
  ])('reads %s', (_what, headers, wait) => {
    expect(retryAfterMs(new Headers(headers as Record<string, string>), now)).toBe(wait);
  });
});
