import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { compileInto } from './compile.mjs';
import { readInputs } from './inputs.mjs';

/** Builds that stay however old they are. */
const KEPT_BUILDS = 3;
/** A build younger than this may be in use by a process that has just started from it. */
const MIN_AGE_MS = 60 * 60 * 1000;
const BUILD_NAME = /^[0-9a-f]{16}$/;
const TEMPORARY_NAME = /^\.tmp-/;

/**
 * Makes `dist/current` the build of the tree as it is now, compiling only if there is no such build yet.
 * A build is named after the hash of its inputs and appears whole or not at all, so any number of
 * processes may build at once, and a failed build leaves the previous one in place.
 *
 * @param {{ root: string }} options the project's folder
 * @returns {Promise<{ dir: string, built: boolean }>} the folder of the build, and whether it was compiled by this call
 * @throws {import('./compile.mjs').CompileError} naming file and line of every source that does not compile
 * @example const { dir } = await build({ root: process.cwd() }); await import(join(dir, 'src/main.js'));
 */
export async function build({ root }) {
  const dist = join(root, 'dist');
  const inputs = readInputs(root);
  const dir = join(dist, inputs.hash);
  const built = !markUsed(dir) && (await makeBuild(dist, dir, inputs));
  pointCurrentAt(dist, inputs.hash);
  if (built) removeOldBuilds(dist, inputs.hash);
  return { dir, built };
}

/** Makes a build the newest one; false where there is none. */
function markUsed(dir) {
  const now = new Date();
  return unlessMissing(() => utimesSync(dir, now, now));
}

async function makeBuild(dist, dir, inputs) {
  const temporary = join(dist, temporaryName());
  mkdirSync(temporary, { recursive: true });
  try {
    await compileInto(temporary, inputs);
    return moveInto(temporary, dir);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** False where another process has put the same build there first: renaming never replaces a folder with content. */
function moveInto(temporary, dir) {
  try {
    renameSync(temporary, dir);
    return true;
  } catch (error) {
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false;
    throw error;
  }
}

function pointCurrentAt(dist, hash) {
  const link = join(dist, temporaryName());
  symlinkSync(hash, link, 'dir');
  renameSync(link, join(dist, 'current'));
}

/** Also takes away what a build that was killed has left behind. */
function removeOldBuilds(dist, current) {
  const names = readdirSync(dist);
  const builds = names.filter((name) => BUILD_NAME.test(name) && name !== current);
  const byAge = builds.sort((a, b) => ageOf(join(dist, a)) - ageOf(join(dist, b)));
  const doomed = [...byAge.slice(KEPT_BUILDS - 1), ...names.filter((name) => TEMPORARY_NAME.test(name))];
  for (const name of doomed) {
    if (ageOf(join(dist, name)) > MIN_AGE_MS) removeWhole(dist, join(dist, name));
  }
}

function ageOf(path) {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats ? Date.now() - stats.mtimeMs : 0;
}

/** Renamed first, so that no other process ever takes a half-removed build for a whole one. */
function removeWhole(dist, path) {
  const doomed = join(dist, temporaryName());
  if (unlessMissing(() => renameSync(path, doomed))) rmSync(doomed, { recursive: true, force: true });
}

function unlessMissing(action) {
  try {
    action();
    return true;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

function temporaryName() {
  return `.tmp-${process.pid}-${randomBytes(6).toString('hex')}`;
}
