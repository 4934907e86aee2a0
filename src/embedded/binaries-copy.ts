import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, cp, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from './embedded.errors.js';

const NAME = 'postgres-binaries';

/**
 * Copies the installed programs, once per version, to a place that an unprivileged user can reach.
 * Copies of other versions are removed.
 *
 * @returns the copy's folder
 */
export async function copyForUser(native: string, cacheDir: string): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as {
    version: string;
  };
  const name = `${NAME}-${version}`;
  const copy = join(cacheDir, name);
  if (!existsSync(copy)) await copyWhole(native, copy);
  await removeOthers(cacheDir, name);
  return copy;
}

/** Into place by renaming, so that a copy is whole or not there. */
async function copyWhole(native: string, copy: string): Promise<void> {
  const draft = `${copy}.${randomBytes(4).toString('hex')}`;
  try {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await makeReadable(draft);
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error;
  }
}

/** The installed files may be closed to others by the umask they were installed with. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await makeReadable(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o111 ? 0o755 : 0o644);
  }
}

async function removeOthers(cacheDir: string, name: string): Promise<void> {
  const names = await readdir(cacheDir);
  const others = names.filter((other) => other.startsWith(`${NAME}-`) && other !== name);
  await Promise.all(others.map((other) => rm(join(cacheDir, other), { recursive: true, force: true })));
}
