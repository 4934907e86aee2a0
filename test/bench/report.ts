import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { keepsTarget, type Figure } from './bench.js';
import type { MachineFacts } from './machine.js';

/** Results of one bench, from one run. */
export interface BenchResult {
  measured_at: string;
  machine: MachineFacts;
  load_before: number;
  load_after: number;
  seconds: number;
  figures: Figure[];
}

/** The table of one bench, a line each figure. */
export function tableOf(name: string, { figures, load_before, load_after, seconds }: BenchResult): string {
  const rows = [['', 'min', 'median', 'max', '', 'target', ''], ...figures.map(rowOf)];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  const head = `${name} (${seconds} s, load ${load_before} before, ${load_after} after)`;
  return [head, ...lines, ''].map((line) => line.trimEnd()).join('\n');
}

function rowOf(figure: Figure): string[] {
  const { name, unit, spread, target } = figure;
  const numbers = [spread.min, spread.median, spread.max].map(String);
  const bound = !target ? '' : 'atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`;
  const kept = keepsTarget(figure);
  return [`  ${name}`, ...numbers, unit, bound, kept === undefined ? '' : kept ? 'kept' : 'MISSED'];
}

/** Puts the results of this run into the file; those of benches that did not run stay. */
export function writeResults(path: string, results: Record<string, BenchResult>): void {
  const earlier = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as typeof results) : {};
  writeFileSync(path, `${JSON.stringify({ ...earlier, ...results }, null, 2)}\n`);
}
