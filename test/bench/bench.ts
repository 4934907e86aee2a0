import type { BenchStage } from './bench-stage.js';
import type { Spread } from './spread.js';

/** One measured quantity, with its spread over the repetitions of the run. */
export interface Figure {
  name: string;
  unit: 'ms' | 'MB' | 'per second' | 'ratio' | 'cores';
  spread: Spread;
  /** What its median must keep. */
  target?: { atMost: number } | { atLeast: number };
}

/** Something that is measured, named after what it measures. */
export interface Bench {
  name: string;
  /** What is done, in one line. */
  what: string;
  /** @throws when the work that was measured did not come out right. */
  run(stage: BenchStage): Promise<Figure[]>;
}

/** Whether the figure keeps its target; undefined where it has none. */
export function keepsTarget({ spread, target }: Figure): boolean | undefined {
  if (!target) return undefined;
  return 'atMost' in target ? spread.median <= target.atMost : spread.median >= target.atLeast;
}
