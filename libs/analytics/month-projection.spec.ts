import { projectionDays, projectMonth } from './month-projection.js';
import { dayText } from './report-range.js';
import type { UsageRow } from './usage-report.js';

const USD = 1_000_000_000;

describe('the projection of a month', () => {
  const day = (key: string, usd: number): UsageRow => ({
    key,
    cost: String(usd * USD),
    requests: '1',
    input: '0',
    output: '0',
    errors: '0',
    cached: '0',
  });

  it('is what was spent, and the pace of the last seven days for the time that is left', () => {
    const now = new Date('2026-11-21T12:00:00Z');
    const week = ['15', '16', '17', '18', '19', '20'].map((date) => day(`2026-11-${date}`, 2));
    const rows = [day('2026-11-02', 10), ...week, day('2026-11-21', 1)];
    expect(projectMonth(rows, now)).toEqual({
      month: '2026-11',
      spent_usd: 23,
      spent_cents: 2300,
      pace_usd: 2,
      pace_cents: 200,
      days_left: 9.5,
      projected_usd: 42,
      projected_cents: 4200,
    });
  });

  it('takes the pace from the month before where this one is young, and not the costs', () => {
    const now = new Date('2026-12-01T06:00:00Z');
    const { from, to } = projectionDays(now);
    expect([dayText(from), dayText(to)]).toEqual(['2026-11-25', '2026-12-02']);
    const projection = projectMonth([day('2026-11-28', 12.5), day('2026-12-01', 0)], now);
    expect(projection).toMatchObject({ spent_usd: 0, pace_usd: 2, projected_usd: 61.5 });
  });

  it('of nothing is nothing, at any moment', () => {
    for (const now of ['2026-02-01T00:00:00Z', '2024-02-29T23:59:59.999Z'])
      expect(projectMonth([], new Date(now))).toMatchObject({ spent_usd: 0, projected_usd: 0 });
  });
});
