import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { Metrics } from '#libs/common';
import { LANE } from '../jobs/job.js';
import { laneName } from './job-metrics.js';
import { RecentFigures, type OperatingFigures } from './operating-figures.js';

/** One gauge: what it is called, and its values for the figures of now. */
interface GaugeSpec {
  name: string;
  help: string;
  labels: string[];
  values(figures: OperatingFigures): [labels: Record<string, string>, value: number][];
}

const LANES = Object.values(LANE);

const GAUGES: GaugeSpec[] = [
  {
    name: 'fieldsmith_jobs_open',
    help: 'Jobs that wait or are worked on, by lane and status.',
    labels: ['lane', 'status'],
    values: (figures) =>
      LANES.flatMap((lane) => {
        const { pending = 0, processing = 0 } = laneOf(figures, lane) ?? {};
        return [
          [{ lane: laneName(lane), status: 'pending' }, pending],
          [{ lane: laneName(lane), status: 'processing' }, processing],
        ];
      }),
  },
  {
    name: 'fieldsmith_oldest_waiting_job_seconds',
    help: 'Seconds that the job which is due longest has waited, by lane.',
    labels: ['lane'],
    values: (figures) => LANES.map((lane) => [{ lane: laneName(lane) }, laneOf(figures, lane)?.oldest ?? 0]),
  },
  {
    name: 'fieldsmith_holds',
    help: 'Holds by state: of calls in flight, or waiting to be moved into the budgets.',
    labels: ['state'],
    values: ({ holds: { in_flight = 0, to_settle = 0 } }) => [
      [{ state: 'in_flight' }, in_flight],
      [{ state: 'to_settle' }, to_settle],
    ],
  },
  {
    name: 'fieldsmith_workers',
    help: 'Worker processes that are alive.',
    labels: [],
    values: ({ workers }) => [[{}, workers.alive]],
  },
  {
    name: 'fieldsmith_worker_slots',
    help: 'Jobs that all workers together can work on at once, by whether they do.',
    labels: ['state'],
    values: ({ workers: { slots, busy } }) => [
      [{ state: 'busy' }, busy],
      [{ state: 'free' }, Math.max(0, slots - busy)],
    ],
  },
  {
    name: 'fieldsmith_maintenance_age_seconds',
    help: 'Seconds since the last run of a maintenance job that completed.',
    labels: ['job'],
    values: ({ maintenance }) =>
      maintenance.flatMap(({ name, age }) => (age === null ? [] : [[{ job: name }, age]])),
  },
  {
    name: 'fieldsmith_maintenance_failed',
    help: '1 where the last run of a maintenance job failed.',
    labels: ['job'],
    values: ({ maintenance }) => maintenance.map(({ name, failed }) => [{ job: name }, failed ? 1 : 0]),
  },
];

/** What the whole installation has to do, as gauges; every process tells the same. */
@Injectable()
export class OperatingGauges {
  constructor(metrics: Metrics, figures: RecentFigures) {
    const registers = [metrics];
    for (const { name, help, labels, values } of GAUGES) {
      new Gauge({
        name,
        help,
        labelNames: labels,
        registers,
        async collect() {
          const now = await figures.read();
          this.reset();
          // Missing, not zero, where nobody knows.
          if (now) for (const [of, value] of values(now)) this.set(of, value);
          else if (labels.length === 0) this.remove();
        },
      });
    }
    new Gauge({
      name: 'fieldsmith_database_up',
      help: '1 where the database answers this process.',
      registers,
      async collect() {
        this.set((await figures.read()) ? 1 : 0);
      },
    });
  }
}

function laneOf({ lanes }: OperatingFigures, lane: number): OperatingFigures['lanes'][number] | undefined {
  return lanes.find((one) => one.lane === lane);
}
