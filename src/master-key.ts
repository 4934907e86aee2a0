import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FieldsmithError } from '#libs/common';

const KEY_BYTES = 32;

/**
 * The master key of an embedded installation: made at the first start and kept under the data folder, readable by its
 * owner only. Whoever backs up the data folder backs it up too.
 */
export function keptMasterKey(dataDir: string): Buffer {
  const path = join(dataDir, 'master-key');
  if (!existsSync(path)) keepNewKey(path);
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new FieldsmithError(
    'master_key_unreadable',
    `${path} does not hold a key of ${KEY_BYTES} bytes in base64: put the key back from a backup, or set MASTER_KEY.`,
  );
}

/** Written whole under another name first, so that a kill leaves no half key; of two processes one wins. */
function keepNewKey(path: string): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${randomBytes(KEY_BYTES).toString('base64')}\n`, { mode: 0o600 });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(draft);
  }
}
