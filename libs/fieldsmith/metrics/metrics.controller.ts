import { createHash, timingSafeEqual } from 'node:crypto';
import { Controller, Get, Header, Headers, Inject } from '@nestjs/common';
import { Registry } from 'prom-client';
import { Public } from '#libs/access';
import { FieldsmithError, Metrics } from '#libs/common';
import { FIELDSMITH_OPTIONS, type FieldsmithOptions } from '../fieldsmith.options.js';

/** `GET /metrics` for Prometheus. Open, unless the host sets a token that scrapers must send. */
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    @Inject(FIELDSMITH_OPTIONS) private readonly options: FieldsmithOptions,
  ) {}

  @Public()
  @Get()
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  async read(@Headers('authorization') authorization = ''): Promise<string> {
    const { metricsToken } = this.options.operations ?? {};
    if (metricsToken !== undefined && !isEqual(authorization, `Bearer ${metricsToken}`)) {
      throw new FieldsmithError('unauthenticated', 'Send the token of the metrics as a Bearer header.', {
        status: 401,
      });
    }
    return this.metrics.metrics();
  }
}

/** Hashes are compared, so that neither time nor length tells anything. */
function isEqual(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a!, b!);
}
