import { Registry } from 'prom-client';

/**
 * The figures of one application, in the terms of Prometheus. Each lib makes its own metrics in it when its providers
 * are made; `fieldsmith` serves them all at `/metrics`. Labels are names from code (a lane, an error code, a route's
 * template), never a tenant, an id or a value: each distinct one is kept in memory for good.
 *
 * @example
 * constructor(metrics: Metrics) {
 *   this.passes = new Counter({ name: 'fieldsmith_dispatcher_passes_total', help: '…', registers: [metrics] });
 * }
 */
export class Metrics extends Registry {}
