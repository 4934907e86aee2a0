import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build-tree.mjs';
import { CompileError } from './compile.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const startedAt = performance.now();

try {
  const { built } = await build({ root });
  if (built) console.log(`Built in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
} catch (error) {
  console.error(error instanceof CompileError ? error.message : error);
  process.exitCode = 1;
}
