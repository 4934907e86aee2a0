import { Global, Module } from '@nestjs/common';
import { EventLog } from './event-log.js';
import { EventStream } from './event-stream.js';
import { Wakeups } from './wakeups.js';

/** What happened, for screens and hosts, and the wake-ups between processes. */
@Global()
@Module({
  providers: [EventLog, EventStream, Wakeups],
  exports: [EventLog, EventStream, Wakeups],
})
export class EventsModule {}
