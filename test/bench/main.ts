/** Runs the benches: `npm run bench`, or `npm run bench -- <name>…`; exits 1 where a target is missed. */
import { join } from 'node:path';
import { analytics } from './analytics.js';
import { keepsTarget, type Bench } from './bench.js';
import { setBenchStage, type BenchStage } from './bench-stage.js';
import { dispatch } from './dispatch.js';
import { expansion } from './expansion.js';
import { fairness } from './fairness.js';
import { gate } from './gate.js';
import { holds } from './holds.js';
import { latency } from './latency.js';
import { memory } from './memory.js';
import { load, machineFacts, type MachineFacts } from './machine.js';
import { tableOf, writeResults, type BenchResult } from './report.js';
import { saving } from './saving.js';
import { bull, throughput } from './throughput.js';
import { workers } from './workers.js';

const BENCHES: Bench[] = [
  expansion,
  saving,
  throughput,
  latency,
  dispatch,
  bull,
  workers,
  fairness,
  memory,
  holds,
  gate,
  analytics,
];
const RESULTS = join(process.cwd(), 'test/bench/results.json');

const names = process.argv.slice(2);
const unknown = names.filter((name) => !BENCHES.some((bench) => bench.name === name));

async function measure(bench: Bench, stage: BenchStage, machine: MachineFacts): Promise<BenchResult> {
  process.stdout.write(`${bench.name}: ${bench.what}\n`);
  const measured_at = new Date().toISOString();
  const [started, load_before] = [performance.now(), load()];
  const figures = await bench.run(stage);
  const seconds = Math.round((performance.now() - started) / 1000);
  return { measured_at, machine, load_before, load_after: load(), seconds, figures };
}

async function main(): Promise<void> {
  const stage = await setBenchStage();
  try {
    const machine = machineFacts(stage.postgresVersion);
    const chosen = BENCHES.filter(({ name }) => names.length === 0 || names.includes(name));
    for (const bench of chosen) {
      const result = await measure(bench, stage, machine);
      writeResults(RESULTS, { [bench.name]: result });
      process.stdout.write(`${tableOf(bench.name, result)}\n`);
      if (result.figures.some((figure) => keepsTarget(figure) === false)) process.exitCode = 1;
    }
  } finally {
    await stage.close();
  }
}

if (unknown.length > 0) {
  const known = BENCHES.map(({ name }) => name).join(', ');
  process.stderr.write(`There is no bench "${unknown.join('", "')}": choose from ${known}.\n`);
  process.exitCode = 2;
} else {
  await main();
}
