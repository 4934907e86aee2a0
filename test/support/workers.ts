import { startProduct, type RunningProduct } from './product.js';
import type { Stage } from './stage.js';

/** Starts a worker process beside an API process of a stage; its URL serves only health. */
export function startWorker(stage: Stage, env: Record<string, string>): Promise<RunningProduct> {
  const { database, providerUrl } = stage;
  return startProduct({ database, providerUrl, env: { ...env, ROLE: 'worker', PORT: '' } });
}
