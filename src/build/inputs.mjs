import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folders whose TypeScript is compiled and whose other files are copied. */
const SOURCE_FOLDERS = ['src', 'libs', 'migrations'];
/** Folders of which only the TypeScript is compiled: what else lies there is data that a run may write. */
const CODE_ONLY_FOLDERS = ['test'];
/** Runs from the source tree, never from a build. */
const BUILD_FOLDER = 'src/build';
const SETTING_FILES = ['package.json', 'package-lock.json', '.swcrc'];
const NOT_BUILT = /\.spec\.m?ts$|\.d\.m?ts$|^README\.md$|^\.|~$/;

/** Folders that a watcher has to look at. */
export const WATCHED_FOLDERS = SOURCE_FOLDERS;

/**
 * Reads everything that determines a build, once: what is hashed here is what gets compiled, even if a
 * file changes meanwhile.
 *
 * @param {string} root the project's folder
 * @returns {{ hash: string, swcrc: object, files: Map<string, Buffer> }} `files` by path relative to the root, with `/`
 */
export function readInputs(root) {
  const files = new Map();
  for (const folder of SOURCE_FOLDERS) collect(root, folder, files, () => true);
  for (const folder of CODE_ONLY_FOLDERS) collect(root, folder, files, isTypeScript);
  const settings = SETTING_FILES.map((name) => [name, readOrNothing(join(root, name))]);
  const swcrc = settings.find(([name]) => name === '.swcrc')[1];
  if (swcrc.length === 0)
    throw new Error(`${join(root, '.swcrc')} is missing: it says how TypeScript is compiled.`);
  return { hash: hashOf([...settings, ...ownCode(), ...files]), swcrc: parseSettings(root, swcrc), files };
}

/** Whether a file is compiled; every other input is copied. */
export function isTypeScript(path) {
  return path.endsWith('.ts');
}

function collect(root, folder, files, accept) {
  for (const entry of entriesOf(join(root, folder))) {
    const path = `${folder}/${entry.name}`;
    if (path === BUILD_FOLDER || entry.name === 'node_modules' || NOT_BUILT.test(entry.name)) continue;
    if (entry.isDirectory()) collect(root, path, files, accept);
    else if (accept(path)) files.set(path, readFileSync(join(root, path)));
  }
}

/** Sorted by code unit, so that the hash does not depend on the file system or the locale. */
function entriesOf(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function readOrNothing(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** The builder itself: a change of how it builds makes every earlier build stale. */
function ownCode() {
  const folder = dirname(fileURLToPath(import.meta.url));
  return ['inputs.mjs', 'build-tree.mjs', 'compile.mjs'].map((name) => [
    `builder/${name}`,
    readFileSync(join(folder, name)),
  ]);
}

function hashOf(entries) {
  const hash = createHash('sha256').update(`node ${process.version} ${process.platform} ${process.arch}\n`);
  for (const [path, content] of entries) hash.update(`${path}\0${content.length}\0`).update(content);
  return hash.digest('hex').slice(0, 16);
}

function parseSettings(root, content) {
  try {
    const settings = JSON.parse(content.toString('utf8'));
    delete settings.$schema;
    return settings;
  } catch (error) {
    throw new Error(`${join(root, '.swcrc')} is not valid JSON: ${error.message}`, { cause: error });
  }
}
