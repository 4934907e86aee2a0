import { Injectable } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import { Metrics } from '#libs/common';
import type { Lane } from '../jobs/job.js';

/** What counts a job that a worker is done with. */
export interface EndedJob {
  lane: Lane;
  /** How it ended: its outcome where it completed, else its status. */
  outcome: string;
  errorCode?: string;
  seconds?: number;
}

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** What this process has done with jobs. */
@Injectable()
export class JobMetrics {
  private readonly endings: Counter<'lane' | 'outcome' | 'error_code'>;
  private readonly durations: Histogram<'lane' | 'outcome'>;
  private readonly waits: Counter<'lane' | 'reason'>;
  private readonly lost: Counter<'status'>;
  private readonly passes: Counter;

  constructor(metrics: Metrics) {
    const registers = [metrics];
    this.endings = new Counter({
      name: 'fieldsmith_jobs_ended_total',
      help: 'Jobs that ended, by lane, outcome (or status, where there is none) and error code.',
      labelNames: ['lane', 'outcome', 'error_code'],
      registers,
    });
    this.durations = new Histogram({
      name: 'fieldsmith_job_duration_seconds',
      help: 'Seconds from the claim of a job to its end, of the attempt that ended it.',
      labelNames: ['lane', 'outcome'],
      buckets: SECONDS,
      registers,
    });
    this.waits = new Counter({
      name: 'fieldsmith_job_waits_total',
      help: 'Attempts after which a job went back to wait, by lane and reason (retry, budget, rate_limit).',
      labelNames: ['lane', 'reason'],
      registers,
    });
    this.lost = new Counter({
      name: 'fieldsmith_jobs_lost_total',
      help: 'Jobs whose worker died, by the status that the sweep gave them.',
      labelNames: ['status'],
      registers,
    });
    this.passes = new Counter({
      name: 'fieldsmith_dispatcher_passes_total',
      help: 'Looks of the dispatcher for jobs that are due.',
      registers,
    });
  }

  ended({ lane, outcome, errorCode = 'none', seconds }: EndedJob): void {
    this.endings.inc({ lane: laneName(lane), outcome, error_code: errorCode });
    if (seconds !== undefined) this.durations.observe({ lane: laneName(lane), outcome }, seconds);
  }

  waited(lane: Lane, reason: string): void {
    this.waits.inc({ lane: laneName(lane), reason });
  }

  lostWorker(status: string): void {
    this.lost.inc({ status });
  }

  dispatched(): void {
    this.passes.inc();
  }
}

/** A lane as people read it. */
export function laneName(lane: number): string {
  return lane === 0 ? 'interactive' : 'backfill';
}
