import type { Api } from './api.js';
import { addPipeline, addRecord, ai, plain } from './pipelines.js';
import { setStage, type Stage } from './stage.js';

/** A product with a little of everything that hostile input may aim at. */
export interface Target {
  stage: Stage;
  api: Api;
  /** Has `name`, `list` (JSON) and `facts`, which is generated on request only. */
  pipelineId: string;
  recordId: string;
}

export async function setTarget(): Promise<Target> {
  const stage = await setStage();
  const api = await stage.tenant();
  const pipelineId = await addPipeline(api, [
    plain('name'),
    plain('list', { field_type: 'json' }),
    ai('facts', { prompt: 'Facts of {name}', output_type: 'json', auto_regenerate: false }),
  ]);
  const { id: recordId } = await addRecord(api, pipelineId, { name: 'Ada' });
  return { stage, api, pipelineId, recordId };
}

/** The product still serves, and nothing was an error to it. */
export async function expectUnharmed({ product }: Stage): Promise<void> {
  expect((await fetch(`${product.url}/health/ready`)).status).toBe(200);
  expect(product.output()).not.toMatch(/"level":"error"/);
}
