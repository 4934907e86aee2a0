import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from './spread.js';

const SYNCS = 200;

/** What the figures depend on besides the code. */
export interface MachineFacts {
  cpu: string;
  cores: number;
  memory_gb: number;
  node: string;
  postgres: string;
  /** Milliseconds to write and sync 8 kB where the database lies; every commit waits for one. */
  disk_sync_ms: number;
}

export function machineFacts(postgresVersion: string): MachineFacts {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    postgres: postgresVersion,
    disk_sync_ms: Number(diskSync().toPrecision(2)),
  };
}

/** The load of the last minute: what else ran shows in it. */
export function load(): number {
  return Number(loadavg()[0]!.toFixed(2));
}

function diskSync(): number {
  const dir = mkdtempSync(join(tmpdir(), 'fieldsmith-bench-sync-'));
  const file = openSync(join(dir, 'file'), 'w');
  const page = Buffer.alloc(8192, 1);
  const times: number[] = [];
  for (let i = 0; i < SYNCS; i++) {
    const started = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    times.push(performance.now() - started);
  }
  closeSync(file);
  rmSync(dir, { recursive: true, force: true });
  return median(times);
}
