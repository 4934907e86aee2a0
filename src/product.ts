import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Logger, RequestMethod } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { json } from 'express';
import helmet from 'helmet';
import { FieldsmithError } from '#libs/common';
import { createSimulator, type Simulator } from '#libs/llm-simulator';
import { AppModule, globalKeys } from './app.module.js';
import type { Config } from './config/read-config.js';
import { urlGuard } from './config/url-guard.js';
import { validationPipe } from './config/validation-pipe.js';
import { migrate } from './database/migrate.js';
import { MIGRATIONS } from './database/migrations.js';
import { DEMO_SIGN_IN, DemoSeed } from './demo/demo-seed.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded/embedded-postgres.js';
import { ProductLogger } from './logger.js';
import { keptMasterKey } from './master-key.js';
import { serveOpenApi } from './openapi.js';
import type { Runtime } from './runtime.js';

const JSON_LIMIT = '2mb';
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
    Logger.overrideLogger(new ProductLogger(config.logLevel));
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
    const runtime = await this.prepare();
    const app = await NestFactory.create<NestExpressApplication>(AppModule.with(runtime), {
      bodyParser: false,
      abortOnError: false,
      forceCloseConnections: true,
    });
    this.app = app;
    this.goOn();
    app.setGlobalPrefix('api/v1', {
      exclude: ['/', 'health/live', 'health/ready'].map((path) => ({ path, method: RequestMethod.GET })),
    });
    app.set('query parser', 'extended');
    app.use(helmet());
    app.use(urlGuard);
    app.use(json({ limit: JSON_LIMIT, strict: false }));
    app.useGlobalPipes(validationPipe());
    serveOpenApi(app);
    await app.listen(this.config.port, this.config.host);
    const seeded = this.config.demo && this.config.role !== 'worker' && (await app.get(DemoSeed).ensure());
    await this.announce(app, seeded);
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
    try {
      const run = await migrate(ownerUrl, MIGRATIONS);
      if (run.length > 0) this.logger.log(`${run.length} migrations were run.`);
    } catch (error) {
      const { host } = new URL(ownerUrl);
      const remedy = `The database at ${host} cannot be used (${(error as Error).message}): check that it runs, and DATABASE_URL.`;
      throw new FieldsmithError('database_unusable', remedy, { cause: error });
    }
  }

  /** Stands in for the providers where no key is known at all. */
  private async simulatorUrl(): Promise<string | undefined> {
    if (Object.keys(globalKeys(this.config)).length > 0) return undefined;
    this.simulator = createSimulator({ control: false, log: false });
    const { url } = await this.simulator.listen();
    return `${url}/v1`;
  }

  private async announce(app: NestExpressApplication, seeded: boolean): Promise<void> {
    const url = (await app.getUrl()).replace('[::1]', 'localhost');
    const lines = [
      `Fieldsmith runs at ${url} (API: ${url}/api/v1, documentation: ${url}/api/docs)`,
      ...(seeded ? [`Demo sign-in: ${DEMO_SIGN_IN.email} / ${DEMO_SIGN_IN.password}`] : []),
      ...(this.simulator
        ? ['No provider key is set, so a simulator answers: set OPENAI_API_KEY for real values.']
        : []),
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}
