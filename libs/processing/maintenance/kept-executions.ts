import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ProcessRegistry } from '../pipeline/process-registry.js';

/** Which executions must stay as they are, however old: the processes know what they stand behind. */
@Injectable()
export class KeptExecutions {
  constructor(private readonly processes: ProcessRegistry) {}

  async among(em: EntityManager, tenantId: string, executionIds: readonly string[]): Promise<Set<string>> {
    const kept = new Set<string>();
    if (executionIds.length === 0) return kept;
    for (const name of this.processes.names()) {
      const ids = (await this.processes.get(name).keeps?.(em, tenantId, executionIds)) ?? [];
      for (const id of ids) kept.add(id);
    }
    return kept;
  }
}
