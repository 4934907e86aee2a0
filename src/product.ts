import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { Logger, RequestMethod } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { json } from 'express';
import helmet from 'helmet';
import { FieldsmithError, Metrics } from '#libs/common';
import { httpMetrics, markUnreadBody, validationPipe } from '#libs/fieldsmith';
import { ProviderRegistry } from '#libs/llm';
import type { Simulator } from '#libs/llm-simulator';
import { AppModule, globalKeys } from './app.module.js';
import { checkAddress } from './check-address.js';
import type { Config } from './config/read-config.js';
import { urlGuard } from './config/url-guard.js';
import { bringUpToDate } from './database/bring-up-to-date.js';
import { providerOfDefault } from './default-model.js';
import { DEMO_SIGN_IN, DemoSeed } from './demo/demo-seed.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded/embedded-postgres.js';
import { onlyHealth } from './health/only-health.js';
import { makePino } from './logging/make-pino.js';
import { ProductLogger } from './logging/product-logger.js';
import { requestLog } from './logging/request-log.js';
import { keptMasterKey } from './master-key.js';
import { serveOpenApi } from './openapi.js';
import { QUEUE_BOARD_PATH } from './operators/queue-board.js';
import type { Runtime } from './runtime.js';

/** What machines and people ask for without a version of the API. */
const OUTSIDE_THE_API = ['/', 'health/live', 'health/ready', 'metrics'];
const JSON_LIMIT = '2mb';
/** Pages load nothing from elsewhere, also where a package would; and they work without TLS, as a first start has none. */
const CONTENT_POLICY = {
  styleSrc: ["'self'", "'unsafe-inline'"],
  fontSrc: ["'self'", 'data:'],
  upgradeInsecureRequests: null,
};
/**
 * How much the heap of a worker may grow, in percent of what is in use, before it is collected. By itself Node lets it grow
 * to four times that where the machine has room: 600 MB resident instead of 250.
 */
const WORKER_HEAP_GROWTH = '--heap-growing-percent=30';
/** Milliseconds that a stop waits for the step of the start that is going on. */
const STEP_MS = 5_000;

/** Everything that one process of the product runs, started in order and stopped in the reverse. */
export class Product {
  private readonly logger = new Logger('Fieldsmith');
  private started: Promise<void> = Promise.resolve();
  private postgres: Promise<EmbeddedPostgres> | undefined;
  private simulator: Simulator | undefined;
  private app: NestExpressApplication | undefined;
  private stopped = false;

  constructor(private readonly config: Config) {
    Logger.overrideLogger(new ProductLogger(makePino(config.logLevel)));
    if (config.role === 'worker') setFlagsFromString(WORKER_HEAP_GROWTH);
  }

  /** @throws when something it needs is not there; whatever had been started is stopped by {@link stop}. */
  start(): Promise<void> {
    this.started = this.startAll();
    return this.started;
  }

  /** Finishes what is in flight, then stops Postgres, last of all. A start that is going on ends with its step. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.race([this.started, wait(STEP_MS, undefined, { ref: false })]).catch(() => undefined);
    await this.app?.close();
    await this.simulator?.close();
    // One that is only being started would outlive this process.
    const postgres = await this.postgres?.catch(() => undefined);
    await postgres?.stop();
  }

  private async startAll(): Promise<void> {
    await checkAddress(this.config.port, this.config.host);
    this.goOn();
    const runtime = await this.prepare();
    const app = await NestFactory.create<NestExpressApplication>(AppModule.with(runtime), {
      bodyParser: false,
      abortOnError: false,
      forceCloseConnections: true,
    });
    this.app = app;
    const provider = providerOfDefault(app.get(ProviderRegistry), this.config.ai.defaultModel);
    this.goOn();
    app.setGlobalPrefix('api/v1', {
      exclude: [
        ...OUTSIDE_THE_API.map((path) => ({ path, method: RequestMethod.GET })),
        { path: QUEUE_BOARD_PATH, method: RequestMethod.ALL },
      ],
    });
    app.set('query parser', 'extended');
    app.use(requestLog);
    app.use(httpMetrics(app.get(Metrics)));
    app.use(helmet({ contentSecurityPolicy: { directives: CONTENT_POLICY } }));
    if (this.config.role === 'worker') app.use(onlyHealth);
    app.use(urlGuard);
    app.use(json({ limit: JSON_LIMIT, strict: false }));
    app.use(markUnreadBody);
    app.useGlobalPipes(validationPipe());
    if (this.config.role !== 'worker') serveOpenApi(app);
    await app.init();
    // Before it serves: whoever finds it ready can sign in.
    const seeded = this.config.demo && this.config.role !== 'worker' && (await app.get(DemoSeed).ensure());
    await app.listen(this.config.port, this.config.host);
    await this.announce(app, seeded, provider);
  }

  /** Between two steps of the start. @throws when a stop has been asked for. */
  private goOn(): void {
    if (this.stopped) throw new FieldsmithError('start_interrupted', 'The start was interrupted by a stop.');
  }

  private async prepare(): Promise<Runtime> {
    const { config } = this;
    const databaseUrl = config.databaseUrl ?? (await this.embeddedDatabase());
    this.goOn();
    const masterKey = config.masterKey ?? keptMasterKey(resolve(config.dataDir));
    await this.migrate(config.databaseOwnerUrl ?? databaseUrl);
    this.goOn();
    return { config, databaseUrl, masterKey, simulatorUrl: await this.simulatorUrl() };
  }

  private async embeddedDatabase(): Promise<string> {
    this.postgres = startEmbeddedPostgres({
      dataDir: resolve(this.config.dataDir),
      log: (line) => this.logger.log(line),
    });
    const postgres = await this.postgres;
    void postgres.exited.then(() => this.postgresGone());
    return postgres.ownerUrl;
  }

  private postgresGone(): void {
    if (this.stopped) return;
    this.logger.fatal(
      'Postgres has stopped by itself; see postgres.log in the data folder. Start again to recover.',
    );
    process.exit(1);
  }

  private async migrate(ownerUrl: string): Promise<void> {
    const run = await bringUpToDate(ownerUrl);
    if (run.length > 0) this.logger.log(`${run.length} migrations were run.`);
  }

  /** Stands in for the providers where no key is known at all. */
  private async simulatorUrl(): Promise<string | undefined> {
    if (Object.keys(globalKeys(this.config)).length > 0) return undefined;
    // Loaded where it is used: its tokens take 30 MB, which a worker has better uses for.
    const { createSimulator } = await import('#libs/llm-simulator');
    this.simulator = createSimulator({ control: false, log: false });
    const { url } = await this.simulator.listen();
    return `${url}/v1`;
  }

  private async announce(app: NestExpressApplication, seeded: boolean, provider: string): Promise<void> {
    const url = (await app.getUrl()).replace('[::1]', 'localhost');
    const serves =
      this.config.role === 'worker'
        ? `a worker: ${url}/health/ready`
        : `API: ${url}/api/v1, documentation: ${url}/api/docs`;
    const lines = [
      `Fieldsmith runs at ${url} (${serves})`,
      ...(seeded ? [`Demo sign-in: ${DEMO_SIGN_IN.email} / ${DEMO_SIGN_IN.password}`] : []),
      ...this.keyLines(provider),
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }

  /** @param provider that serves the model which tenants start with. */
  private keyLines(provider: string): string[] {
    if (this.simulator)
      return ['No provider key is set, so a simulator answers: set OPENAI_API_KEY for real values.'];
    if (provider in globalKeys(this.config)) return [];
    const { defaultModel } = this.config.ai;
    return [
      `No key of ${provider} is set, which serves ${defaultModel}, the model that tenants start with: set ${provider.toUpperCase()}_API_KEY, or AI_DEFAULT_MODEL to a model of a provider that has one.`,
    ];
  }
}
