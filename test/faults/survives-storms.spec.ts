import { jest } from '@jest/globals';
import { lineOf } from './storm/figures-line.js';
import { runStorm } from './storm/storm.js';

jest.setTimeout(300_000);

/** Small storms, each with every fault; `npm run test:faults` lets large ones loose. */
const STORM = { jobs: 160, slots: 3, latencyMs: 60, redisAwayMs: 2_000 };
const SEEDS = [1, 2];

describe('storms', () => {
  it('whatever breaks, every job ends, values are right and fresh, and every cent is accounted for', async () => {
    // Side by side: much of a storm is waiting.
    const seen = await Promise.all(SEEDS.map(violationsOf));
    expect(seen).toEqual(SEEDS.map(() => []));
  });

  /** Nothing, or what is wrong with all that helps to find out why. */
  async function violationsOf(seed: number): Promise<string[]> {
    const lines: string[] = [];
    const report = await runStorm({ ...STORM, seed, log: (line) => lines.push(line) });
    if (report.violations.length === 0) return [];
    return [lineOf(report), ...report.violations, ...lines];
  }
});
