import { watch, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build-tree.mjs';
import { CompileError } from './compile.mjs';
import { WATCHED_FOLDERS } from './inputs.mjs';
import { ServerProcess } from './server-process.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** Editors save in several steps, and a checkout of another branch touches many files. */
const DEBOUNCE_MS = 150;

const server = new ServerProcess((text) => console.log(`[dev] ${text}`));
let timer;
let update = Promise.resolve();
let stopping = false;

/** Updates run one after the other; what changes during one is picked up by the next. */
function scheduleUpdate() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    update = update.then(rebuildAndRestart);
  }, DEBOUNCE_MS);
}

async function rebuildAndRestart() {
  try {
    const { dir } = await build({ root });
    await server.run(dir);
  } catch (error) {
    console.error(error instanceof CompileError ? error.message : error);
    console.error(
      `[dev] The build failed. ${server.running ? 'The previous one keeps running.' : 'Waiting for a change.'}`,
    );
  }
}

/** The first signal lets the server drain, the second one kills it. */
async function stop() {
  if (stopping) return server.kill();
  stopping = true;
  await server.close();
  process.exit(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop());
for (const folder of WATCHED_FOLDERS.map((name) => join(root, name)).filter((path) => existsSync(path))) {
  watch(folder, { recursive: true }, scheduleUpdate).on('error', (error) => {
    console.error(`[dev] Watching ${folder} failed: ${error.message}`);
  });
}
update = rebuildAndRestart();
