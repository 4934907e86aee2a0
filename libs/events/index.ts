export { EventLog, type Cursor, type EventPage, type LoggedEvent, type NewEvent } from './event-log.js';
export { EventStream, type StreamReader, type StreamTarget } from './event-stream.js';
export { EventsModule } from './events.module.js';
export { Wakeups, type Topic } from './wakeups.js';
