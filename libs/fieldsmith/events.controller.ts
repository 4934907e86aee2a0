import { Controller, Get, Headers, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { abilityOf, Authorize, CurrentPrincipal, type PrincipalRequest, type Subject } from '#libs/access';
import type { Principal } from '#libs/host';
import { EventStream } from '#libs/events';
import { ShownEvents } from './shown-events.js';

/** What somebody must be able to read to be told of it; of all else everybody is told who may read events. */
const SUBJECTS: Readonly<Record<string, Subject>> = {
  'budget.alert': 'Budget',
  'budget.drift': 'Budget',
  'provider_key.changed': 'ProviderKey',
};

/** `GET /events`: server-sent events of the caller's tenant. */
@Controller('events')
export class EventsController {
  constructor(
    private readonly stream: EventStream,
    private readonly events: ShownEvents,
  ) {}

  @Get()
  @Authorize('read', 'Event')
  async open(
    @CurrentPrincipal() principal: Principal,
    @Req() { isStillSignedIn }: PrincipalRequest,
    @Res() response: Response,
    @Headers('last-event-id') lastEventId?: string,
  ): Promise<void> {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    });
    const ability = abilityOf(principal);
    const hears = (type: string): boolean => ability.can('read', SUBJECTS[type] ?? 'Event');
    const shown = this.events.forReader(principal);
    const who = { hears, shown, isWelcome: isStillSignedIn };
    await this.stream.open(principal.tenantId, response, lastEventId, who);
  }
}
