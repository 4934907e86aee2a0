import { Injectable } from '@nestjs/common';
import { FieldsmithError } from '#libs/common';
import type { AiProcess } from './ai-process.js';

/** The kinds of jobs there are. Processing knows none of them by name. */
@Injectable()
export class ProcessRegistry {
  private readonly processes = new Map<string, AiProcess>();

  /** @throws FieldsmithError `duplicate_process` when the type has a process already. */
  register<C>(process: AiProcess<C>): this {
    if (this.processes.has(process.type)) {
      throw new FieldsmithError(
        'duplicate_process',
        `The job type "${process.type}" has a process already: register yours under another name.`,
      );
    }
    this.processes.set(process.type, process as AiProcess);
    return this;
  }

  /** @throws FieldsmithError `unknown_process`. */
  get(type: string): AiProcess {
    const process = this.processes.get(type);
    if (process) return process;
    const known = this.names().join(', ') || 'none';
    throw new FieldsmithError(
      'unknown_process',
      `No process is registered for jobs of type "${type}" (known: ${known}): register it in the module that owns it.`,
    );
  }

  /** Undefined where nobody does this kind of work any more, or it never was a job's. */
  find(type: string): AiProcess | undefined {
    return this.processes.get(type);
  }

  /** All of them, or those of one type. */
  all(type?: string): AiProcess[] {
    return [...this.processes.values()].filter((process) => type === undefined || process.type === type);
  }

  names(): string[] {
    return [...this.processes.keys()];
  }
}
