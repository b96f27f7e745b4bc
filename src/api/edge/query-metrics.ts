// The cost of queries, for /metrics: how many ran and how they ended, how long they took, how much they read.
import { Counter, Histogram, type Registry } from 'prom-client';

export interface RanQuery {
  /** search, find, dependencies, metrics. */
  readonly kind: string;
  /** Including its wait. */
  readonly seconds: number;
  /** Stored bytes that it read. */
  readonly bytes: number;
  /** 'ok', or an error code. */
  readonly outcome: string;
}

/** Seconds; from an index lookup to the longest query. */
export const DURATION_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Registers the metrics; the result counts one query. */
export function createQueryMetrics(registers: Registry[]): (query: RanQuery) => void {
  const queries = new Counter({
    name: 'tracelith_queries_total',
    help: 'Queries that ran on the store, by kind and outcome: ok, or an error code',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const durations = new Histogram({
    name: 'tracelith_query_duration_seconds',
    help: 'Time of a query on the store, from its request to its answer, waiting for its turn included',
    labelNames: ['kind'],
    buckets: [...DURATION_BUCKETS],
    registers,
  });
  const bytes = new Counter({
    name: 'tracelith_query_scanned_bytes_total',
    help: 'Stored bytes that queries looked at, read from disk or kept from before',
    labelNames: ['kind'],
    registers,
  });
  return ({ kind, seconds, bytes: looked, outcome }) => {
    queries.inc({ kind, outcome });
    durations.observe({ kind }, seconds);
    bytes.inc({ kind }, looked);
  };
}
