import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ValueSight } from '#libs/ai-fields';
import type { Principal } from '#libs/host';
import type { PerformanceReport } from './performance-report.js';
import type { UsageGroup } from './usage-groups.js';

/** A line of a report, by the value of its dimension. */
interface Line {
  key: string | null;
}

/** Reports without what tells of fields that the reader does not see. Totals are the tenant's, whoever reads. */
@Injectable()
export class ShownReports {
  constructor(private readonly sights: ValueSight) {}

  /** Codes of errors are counted over all fields: who does not see every one is told none. */
  async performance(
    em: EntityManager,
    principal: Principal,
    report: PerformanceReport,
  ): Promise<PerformanceReport> {
    if (!(await this.sights.hidesEnds(em, principal))) return report;
    return { items: report.items.map(({ errors: _ofAllFields, ...item }) => item) };
  }

  /** Lines of fields whose jobs the principal may not know the ends of are left out. */
  async lines<T extends Line>(
    em: EntityManager,
    principal: Principal,
    group: UsageGroup,
    lines: readonly T[],
  ): Promise<T[]> {
    if (group !== 'field') return [...lines];
    const pipelineIds = new Set(lines.flatMap(({ key }) => (key === null ? [] : [fieldOf(key).pipelineId])));
    const isHidden = await this.sights.endsHidden(em, principal, pipelineIds);
    return lines.filter(({ key }) => {
      if (key === null) return true;
      const { pipelineId, slug } = fieldOf(key);
      return !isHidden(pipelineId, slug);
    });
  }
}

/** Of `<pipeline id>:<slug>`; the id is the host's, and may hold anything. */
function fieldOf(key: string): { pipelineId: string; slug: string } {
  const colon = key.lastIndexOf(':');
  return { pipelineId: key.slice(0, colon), slug: key.slice(colon + 1) };
}
