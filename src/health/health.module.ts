import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller.js';
import type { Config } from '../config/read-config.js';
import { Readiness, ROLE } from './readiness.js';

/** Liveness and readiness. */
@Module({
  // Its log would repeat what the line of the request tells.
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [Readiness],
})
export class HealthModule {
  static for({ role }: Pick<Config, 'role'>): DynamicModule {
    return { module: HealthModule, providers: [{ provide: ROLE, useValue: role }] };
  }
}
