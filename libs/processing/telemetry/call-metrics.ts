import { Injectable } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import { PriceBook } from '#libs/accounting';
import { FieldsmithError, Metrics, nanoToUsd } from '#libs/common';
import type { Execution } from '../pipeline/execution.js';

type ModelLabels = 'provider' | 'model';

const SECONDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120];

/** What this process has asked of providers, and what that cost. */
@Injectable()
export class CallMetrics {
  private readonly durations: Histogram<ModelLabels | 'outcome'>;
  private readonly tokens: Counter<ModelLabels | 'kind'>;
  private readonly cost: Counter<ModelLabels>;

  constructor(
    metrics: Metrics,
    private readonly prices: PriceBook,
  ) {
    const registers = [metrics];
    this.durations = new Histogram({
      name: 'fieldsmith_provider_call_seconds',
      help: 'Seconds of calls to providers; outcome is "answered" or the error code.',
      labelNames: ['provider', 'model', 'outcome'],
      buckets: SECONDS,
      registers,
    });
    this.tokens = new Counter({
      name: 'fieldsmith_tokens_total',
      help: 'Tokens that providers reported, in kinds that do not overlap.',
      labelNames: ['provider', 'model', 'kind'],
      registers,
    });
    this.cost = new Counter({
      name: 'fieldsmith_cost_usd_total',
      help: 'US dollars of the calls that providers answered.',
      labelNames: ['provider', 'model'],
      registers,
    });
  }

  called({ prepared, request, answer, error, costNano, durationMs }: Execution): void {
    const provider = prepared.provider.name;
    const labels = { provider, model: this.modelLabel(provider, request.model) };
    this.durations.observe({ ...labels, outcome: outcomeOf(error) }, durationMs / 1000);
    if (costNano !== undefined) this.cost.inc(labels, nanoToUsd(costNano));
    const { usage } = answer ?? {};
    if (!usage) return;
    const cacheWrite = usage.cacheWrite5m + usage.cacheWrite1h;
    const kinds = {
      input: usage.input,
      cache_read: usage.cacheRead,
      cache_write: cacheWrite,
      output: usage.output,
    };
    for (const [kind, count] of Object.entries(kinds)) this.tokens.inc({ ...labels, kind }, count);
  }

  /** Tenants name models as they like; only those that the product knows are labels. */
  private modelLabel(provider: string, model: string): string {
    return this.prices.isShipped(provider, model) ? model : 'other';
  }
}

function outcomeOf(error: unknown): string {
  if (error === undefined) return 'answered';
  return error instanceof FieldsmithError ? error.code : 'unknown_error';
}
