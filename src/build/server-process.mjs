import { spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * The server under development: at most one at a time. It runs in a process group of its own, so that
 * Ctrl-C reaches it once, from us, and not a second time from the terminal.
 */
export class ServerProcess {
  #child;
  #closed = false;
  #dir;
  #exited;
  #log;

  /** @param {(text: string) => void} log told of every start and end */
  constructor(log) {
    this.#log = log;
  }

  get running() {
    return this.#child !== undefined;
  }

  /** Runs the given build in place of the one that runs; does nothing if that is the same. */
  async run(dir) {
    if (this.#closed || (this.running && dir === this.#dir)) return;
    const restart = this.#dir !== undefined;
    await this.#stop();
    if (this.#closed) return;
    this.#dir = dir;
    this.#log(restart ? 'Restarting.' : 'Starting.');
    this.#start(join(dir, 'src', 'main.js'));
  }

  /** Asks the server to drain, waits until it is gone, and starts no other. */
  async close() {
    this.#closed = true;
    await this.#stop();
  }

  kill() {
    this.#child?.kill('SIGKILL');
  }

  async #stop() {
    if (!this.#child) return;
    this.#log('Stopping the server.');
    this.#child.kill('SIGTERM');
    await this.#exited;
  }

  #start(script) {
    const child = spawn(process.execPath, ['--enable-source-maps', script], {
      stdio: 'inherit',
      detached: true,
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      const end = (how) => {
        this.#log(`The server ${how}.`);
        this.#child = undefined;
        resolve();
      };
      child.once('exit', (code, signal) =>
        end(signal ? `was ended by ${signal}` : `ended with code ${code}`),
      );
      child.once('error', (error) => end(`could not be started: ${error.message}`));
    });
  }
}
