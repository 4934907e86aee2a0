import 'reflect-metadata';
import { resolve } from 'node:path';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Maintenance, type MaintenanceReport } from '#libs/processing';
import { AppModule } from './app.module.js';
import { readConfig, type Config } from './config/read-config.js';
import { bringUpToDate } from './database/bring-up-to-date.js';
import { openDatabase } from './database/open-database.js';
import { explain } from './explain.js';
import { makePino, standardError } from './logging/make-pino.js';
import { ProductLogger } from './logging/product-logger.js';
import { keptMasterKey } from './master-key.js';

/**
 * `npm run job -- <name>`: runs one job of the maintenance now and prints what it did as one line of JSON. It works beside
 * a product that runs, and alone. The log goes to standard error.
 */
async function main(name = ''): Promise<void> {
  const config = readConfig(process.env);
  Logger.overrideLogger(new ProductLogger(makePino(config.logLevel, standardError())));
  const { result, ...report } = await runJob(config, name);
  process.stdout.write(`${JSON.stringify({ ...report, ...result })}\n`);
  if (report.outcome !== 'completed') process.exitCode = 1;
}

async function runJob(config: Config, name: string): Promise<MaintenanceReport> {
  const database = await openDatabase(config);
  try {
    await bringUpToDate(database.ownerUrl);
    const masterKey = config.masterKey ?? keptMasterKey(resolve(config.dataDir));
    // It makes no calls and takes no jobs: what it makes due is the workers'.
    const module = AppModule.with({
      config: { ...config, role: 'api' },
      databaseUrl: database.url,
      masterKey,
    });
    const app = await NestFactory.createApplicationContext(module, { abortOnError: false });
    try {
      return await app.get(Maintenance).runNow(name);
    } finally {
      await app.close();
    }
  } finally {
    await database.close();
  }
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
});
