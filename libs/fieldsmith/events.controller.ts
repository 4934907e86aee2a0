import { Controller, Get, Headers, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Authorize, CurrentPrincipal, type PrincipalRequest } from '#libs/access';
import type { Principal } from '#libs/host';
import { EventStream } from '#libs/events';

/** `GET /events`: server-sent events of the caller's tenant. */
@Controller('events')
export class EventsController {
  constructor(private readonly stream: EventStream) {}

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
    await this.stream.open(principal.tenantId, response, lastEventId, isStillSignedIn);
  }
}
