import { Injectable } from '@nestjs/common';
import { SettlementQueue } from '#libs/accounting';
import { Dispatcher } from './dispatcher.js';
import { Sweeper } from './sweeper.js';

/** What a worker process runs besides the jobs themselves. */
@Injectable()
export class WorkerLoops {
  constructor(
    readonly dispatcher: Dispatcher,
    private readonly sweeper: Sweeper,
    private readonly settlements: SettlementQueue,
  ) {}

  start(): void {
    this.dispatcher.start();
    this.sweeper.start();
    this.settlements.start();
  }
}
