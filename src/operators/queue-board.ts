import type { DynamicModule } from '@nestjs/common';
import type { Config } from '../config/read-config.js';

export const QUEUE_BOARD_PATH = '/admin/queues';

/**
 * The queue board, loaded only where it is shown.
 *
 * @returns nothing to import where there is no Redis to look into, or nobody who may look.
 */
export function queueBoard({ redisUrl, operatorToken, role }: Config): Promise<DynamicModule>[] {
  if (!redisUrl || !operatorToken || role === 'worker') return [];
  return [loadBoard(operatorToken)];
}

async function loadBoard(operatorToken: string): Promise<DynamicModule> {
  const { QueueBoardModule } = await import('./queue-board.module.js');
  return QueueBoardModule.at(QUEUE_BOARD_PATH, operatorToken);
}
