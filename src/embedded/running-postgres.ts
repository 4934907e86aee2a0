import { readPassword } from './cluster.js';
import { holderOfDataDir } from './data-dir-lock.js';
import { layoutOf } from './data-dir.js';
import { EmbeddedPostgresError } from './embedded.errors.js';
import { readPostmasterFile } from './postmaster-file.js';
import { ownerUrlOf } from './provision.js';

/**
 * The Postgres of another Fieldsmith that runs on a data folder, for a command that works beside it.
 *
 * @returns the URL under which the owner connects; undefined where nobody uses the folder.
 * @throws EmbeddedPostgresError `data_dir_in_use` while that process starts or stops.
 */
export function findRunningPostgres(dataDir: string): string | undefined {
  const holder = holderOfDataDir(dataDir);
  if (!holder) return undefined;
  const layout = layoutOf(dataDir);
  const { port, status } = readPostmasterFile(layout.cluster) ?? {};
  if (port !== undefined && status === 'ready') return ownerUrlOf(port, readPassword(layout));
  const message = `Fieldsmith (pid ${holder.pid}) starts or stops on ${dataDir} right now: try again in a moment.`;
  throw new EmbeddedPostgresError('data_dir_in_use', message);
}
