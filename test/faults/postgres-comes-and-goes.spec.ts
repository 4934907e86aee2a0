import { createSimulator, type Simulator } from '#libs/llm-simulator';
import { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { ledgerOf } from '../support/ledger.js';
import { OwnPostgres, type PostgresStop } from '../support/own-postgres.js';
import { startProduct, type RunningProduct } from '../support/product.js';

describe('Postgres comes and goes', () => {
  let postgres: OwnPostgres;
  let simulator: Simulator;
  let product: RunningProduct;
  let leads: Leads;

  beforeAll(async () => {
    postgres = await OwnPostgres.started();
    simulator = createSimulator();
    const { url: providerUrl } = await simulator.listen();
    product = await startProduct({ database: postgres.database, providerUrl });
    leads = await Leads.of(await Api.register(product.url));
  });

  afterAll(async () => {
    leads.api.close();
    await simulator.close();
    await product.stop();
    await postgres.database.drop();
  });

  /** The product has met the absence: it has said so since this many characters of its output. */
  async function hasNoticed(from: number): Promise<void> {
    while (!/ECONNREFUSED/.test(product.output().slice(from))) await new Promise((go) => setTimeout(go, 20));
  }

  it.each<PostgresStop>(['fast', 'immediate'])(
    'an answer that comes while it is away (%s) is stored when it is back, and not paid for again',
    async (how) => {
      simulator.clearRequests();
      simulator.script([{ times: 1, action: { type: 'hold' } }]);
      const { jobId } = await leads.add(`Ada ${how}`);
      await simulator.waitForRequests(1);
      const said = product.output().length;
      await postgres.stop(how);
      const refused = await leads.api.call('POST', `/pipelines/${leads.pipelineId}/records`, {
        data: { name: 'Grace' },
      });
      expect(refused).toMatchObject({ status: 503, body: { code: 'database_away' } });
      simulator.release();
      await hasNoticed(said);
      await postgres.start();

      expect(await leads.api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1, retry_count: 0 });
      expect(simulator.requests()).toHaveLength(1);
      const ledger = await ledgerOf(postgres.database, leads.api.tenantId);
      expect(ledger.at(-1)).toMatchObject({ entry: 'settled', outcome: 'answered' });
    },
  );

  it('an edit after it came back is generated, and told to screens that were open before', async () => {
    const screen = await leads.api.events();
    await postgres.stop('fast');
    await postgres.start();
    const { recordId, jobId } = await leads.add('Barbara');
    expect(await leads.api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1 });
    expect((await leads.valueOf(recordId)).value).toContain('Barbara');
    const told = () =>
      screen.events.some(({ data }) => data['job_id'] === jobId && data['status'] === 'completed');
    while (!told()) await screen.next();
    screen.close();
  });
});
