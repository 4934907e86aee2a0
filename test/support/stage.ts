import { createSimulator, type Simulator } from '#libs/llm-simulator';
import { Api } from './api.js';
import { createDatabase, type TestDatabase } from './database.js';
import { startProduct, type RunningProduct } from './product.js';

/** A product of a test file's own, with its database and a provider that the test can script and look into. */
export interface Stage {
  database: TestDatabase;
  simulator: Simulator;
  /** Where the simulator answers, without `/v1`. */
  providerUrl: string;
  product: RunningProduct;
  /** Registers a tenant. */
  tenant(name?: string): Promise<Api>;
  /** Kills the product, or stops it, and starts it again on the same database. */
  restart(how: 'kill' | 'stop', env?: Record<string, string>): Promise<void>;
  close(): Promise<void>;
}

/** @param given a database to use instead of one from the template; it goes with the stage. */
export async function setStage(env: Record<string, string> = {}, given?: TestDatabase): Promise<Stage> {
  const database = given ?? (await createDatabase());
  const simulator = createSimulator();
  const { url: providerUrl } = await simulator.listen();
  const apis: Api[] = [];
  const stage: Stage = {
    database,
    simulator,
    providerUrl,
    product: await startProduct({ database, providerUrl, env }),
    tenant: async (name) => {
      const api = await Api.register(stage.product.url, name);
      apis.push(api);
      return api;
    },
    restart: async (how, changed = {}) => {
      await stage.product[how]();
      stage.product = await startProduct({ database, providerUrl, env: { ...env, ...changed } });
    },
    close: async () => {
      for (const api of apis) api.close();
      const held = simulator.close();
      await stage.product.stop();
      await held;
      await database.drop();
    },
  };
  return stage;
}
