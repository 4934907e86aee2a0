import { BullAdapter } from '@bull-board/api/bullAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { BullBoardModule } from '@bull-board/nestjs';
import { Module, type DynamicModule } from '@nestjs/common';
import { systemClock } from '#libs/common';
import { QUEUE_NAMES } from '#libs/processing';
import { operatorGate } from './operator-gate.js';

/**
 * What waits in the queues, for operators. It shows and changes nothing: hints have no life of their own, and a queue
 * that somebody paused would hold every tenant's jobs.
 */
@Module({})
export class QueueBoardModule {
  static at(route: string, operatorToken: string): DynamicModule {
    const queues = QUEUE_NAMES.map((name) => ({
      name,
      adapter: BullAdapter,
      options: { readOnlyMode: true },
    }));
    return {
      module: QueueBoardModule,
      imports: [
        BullBoardModule.forRoot({
          route,
          adapter: ExpressAdapter,
          middleware: operatorGate(operatorToken, systemClock),
          boardOptions: { uiConfig: { boardTitle: 'Fieldsmith queues' } },
        }),
        BullBoardModule.forFeature(...queues),
      ],
    };
  }
}
