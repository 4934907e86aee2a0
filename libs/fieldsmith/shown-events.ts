import { Injectable } from '@nestjs/common';
import { seesEverything } from '#libs/access';
import { ValueSight } from '#libs/ai-fields';
import type { LoggedEvent } from '#libs/events';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';

/** What tells how a job ended. */
const END_KEYS = ['outcome', 'error_code'];

/** Events without how jobs ended of fields whose inputs are hidden from who reads: that would tell whether conditions hold. */
@Injectable()
export class ShownEvents {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly sights: ValueSight,
  ) {}

  /** @returns what an event stream asks for each page; undefined for who sees everything. */
  forReader(
    principal: Principal,
  ): ((events: readonly LoggedEvent[]) => Promise<readonly LoggedEvent[]>) | undefined {
    return seesEverything(principal.roles) ? undefined : (events) => this.shown(principal, events);
  }

  private async shown(principal: Principal, events: readonly LoggedEvent[]): Promise<readonly LoggedEvent[]> {
    const pipelines = new Set(events.flatMap((event) => endOf(event)?.pipelineId ?? []));
    if (pipelines.size === 0) return events;
    const isShown = await this.tenants.transaction(principal.tenantId, (em) =>
      this.sights.ends(em, principal, pipelines),
    );
    return events.map((event) => {
      const end = endOf(event);
      return !end || isShown(end.pipelineId, end.field) ? event : withoutEnd(event);
    });
  }
}

/** The field whose job an event tells the end of. */
function endOf({ payload }: LoggedEvent): { pipelineId: string; field: string } | undefined {
  const { pipeline_id: pipelineId, field } = payload;
  if (typeof pipelineId !== 'string' || typeof field !== 'string') return undefined;
  return END_KEYS.some((key) => key in payload) ? { pipelineId, field } : undefined;
}

function withoutEnd(event: LoggedEvent): LoggedEvent {
  const rest = Object.entries(event.payload).filter(([key]) => !END_KEYS.includes(key));
  return { ...event, payload: Object.fromEntries(rest) };
}
