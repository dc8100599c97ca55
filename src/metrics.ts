/** What Prometheus reads at /metrics. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(sources: { unfinishedJobs: () => Promise<readonly { status: string; jobs: number }[]> }) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'reprise_requests_total',
    help: 'Calls by operation and code',
    labelNames: ['operation', 'code'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'reprise_request_seconds',
    help: 'Time to answer a call, by operation',
    labelNames: ['operation'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  new Gauge({
    name: 'reprise_unfinished_jobs',
    help: 'Jobs that have not ended, by status',
    labelNames: ['status'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const { status, jobs } of await sources.unfinishedJobs()) this.set({ status }, jobs);
    },
  });
  return {
    /** `code` is `ok` or an error code. */
    count(operation: string, code: string, seconds: number): void {
      requests.inc({ operation, code });
      duration.observe({ operation }, seconds);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
