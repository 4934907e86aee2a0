import { Controller, Get, Redirect, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService, type HealthCheckResult } from '@nestjs/terminus';
import { Public } from '#libs/access';
import { FieldsmithError } from '#libs/common';
import { Readiness, type ReadinessCheck } from './readiness.js';

/** Milliseconds that one check may take. */
const PATIENCE_MS = 3_000;

interface Ready {
  status: 'ok';
  /** Milliseconds that each check took. */
  checks: Record<string, { status: string; response_ms: number }>;
}

/** For load balancers and start scripts; needs no sign-in. */
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly readiness: Readiness,
  ) {}

  @Public()
  @Get()
  @Redirect('/api/docs', 302)
  home(): void {
    return;
  }

  /** The process runs. What it depends on is not asked: a restart would mend none of that. */
  @Public()
  @Get('health/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** The process serves: everything it needs answers, and it is not about to stop. */
  @Public()
  @Get('health/ready')
  async ready(): Promise<Ready> {
    const outcome = await this.health
      .check(this.readiness.checks().map((check) => () => this.attempt(check)))
      .catch((error: unknown) => {
        throw notReady(error);
      });
    const checks = Object.entries(outcome.details).map(([name, { status, responseTime }]) => [
      name,
      { status, response_ms: Math.round(Number(responseTime) * 10) / 10 },
    ]);
    return { status: 'ok', checks: Object.fromEntries(checks) as Ready['checks'] };
  }

  private async attempt({ name, check }: ReadinessCheck) {
    return this.indicators.check(name).attempt(check).withTimeout(PATIENCE_MS);
  }
}

/** What is wrong, as a problem like any other. */
function notReady(error: unknown): unknown {
  if (!(error instanceof ServiceUnavailableException)) return error;
  const { details } = error.getResponse() as HealthCheckResult;
  const errors = Object.entries(details)
    .filter(([, { status }]) => status === 'down')
    .map(([path, { message }]) => ({ path, message: String(message) }));
  const detail = errors[0]?.message ?? 'This process is about to stop.';
  return new FieldsmithError('not_ready', detail, { status: 503, errors });
}
