import { dayText, rangeBefore, rangeOf, readRange } from './report-range.js';

const NOW = new Date('2026-11-21T14:30:00Z');

describe('the range of a report', () => {
  const daysOf = (from: string, to: string) => {
    const { days, edges } = rangeOf(new Date(from), new Date(to));
    const texts = edges.map((edge) => [edge.from.toISOString(), edge.to.toISOString()]);
    return { days: [dayText(days.from), dayText(days.to)], edges: texts };
  };

  it('is thirty days with today as the last unless told', () => {
    const { days, edges } = readRange({}, NOW);
    expect([dayText(days.from), dayText(days.to), edges]).toEqual(['2026-10-23', '2026-11-22', []]);
  });

  it('has whole days, and what is left at its ends', () => {
    expect(daysOf('2026-01-01', '2026-02-01')).toEqual({ days: ['2026-01-01', '2026-02-01'], edges: [] });
    expect(daysOf('2026-01-01T06:00:00Z', '2026-01-04T18:00:00Z')).toEqual({
      days: ['2026-01-02', '2026-01-04'],
      edges: [
        ['2026-01-01T06:00:00.000Z', '2026-01-02T00:00:00.000Z'],
        ['2026-01-04T00:00:00.000Z', '2026-01-04T18:00:00.000Z'],
      ],
    });
    expect(daysOf('2026-01-01', '2026-01-02T00:00:00.001Z').edges).toHaveLength(1);
  });

  it.each([
    ['2026-01-01T06:00:00Z', '2026-01-01T18:00:00Z'],
    ['2026-01-01T20:00:00Z', '2026-01-02T04:00:00Z'],
  ])('from %s to %s has no whole day', (from, to) => {
    const { days, edges } = daysOf(from, to);
    expect(days[0]).toBe(days[1]);
    expect(edges).toEqual([[new Date(from).toISOString(), new Date(to).toISOString()]]);
  });

  it('has one as long before it', () => {
    const before = rangeBefore(rangeOf(new Date('2026-03-01'), new Date('2026-04-01')));
    expect([before.from.toISOString(), before.to.toISOString()]).toEqual([
      '2026-01-29T00:00:00.000Z',
      '2026-03-01T00:00:00.000Z',
    ]);
  });

  it.each([
    ['2026-02-01', '2026-01-01'],
    ['2026-01-01', '2026-01-01'],
    ['2024-01-01', '2026-01-01'],
  ])('from %s to %s is refused', (from, to) => {
    expect(() => readRange({ from, to }, NOW)).toThrow('from: must be before "to", and at most 400 days');
  });
});
