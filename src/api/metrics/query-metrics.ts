// What queries cost: how many ran and how they ended, how long they took, how much they read, and how many wait.
import type { MetricRegistry } from './metric-registry.ts';

export interface RanQuery {
  /** search, find, dependencies, metrics. */
  readonly kind: string;
  /** Including its wait. */
  readonly seconds: number;
  /** Stored bytes that it read. */
  readonly bytes: number;
  /** 'ok', or an error code. */
  readonly outcome: string;
  /** Longer than -search.logSlowQueryDuration. */
  readonly isSlow: boolean;
}

/** The turns of queries: how many run, and those that had to wait, since start. */
export interface QueryTurns {
  readonly running: number;
  readonly runningMax: number;
  readonly waiting: number;
  /** Queries that found every turn taken. */
  readonly limitReached: number;
  /** Of them those that got no turn in time, or were too many to wait. */
  readonly limitTimeouts: number;
}

/** Bytes of one query: from a small trace by id to what -search.maxScannedBytes may allow. */
const BYTES_BUCKETS: readonly number[] = Array.from({ length: 12 }, (_, i) => 4 ** (i + 5));

const KINDS = ['search', 'find', 'dependencies', 'metrics'];

/** Registers the metrics; the result counts one query. */
export function createQueryMetrics(registry: MetricRegistry): (query: RanQuery) => void {
  const queries = registry.counter({
    name: 'tracelith_queries_total',
    unit: 'queries',
    help: 'Queries that ran on the store, by kind and outcome: ok, or an error code',
    labels: ['kind', 'outcome'],
  });
  const durations = registry.histogram({
    name: 'tracelith_query_duration_seconds',
    unit: 'seconds',
    help: 'Time of a query on the store, from its request to its answer, waiting for its turn included',
    labels: ['kind'],
  });
  const bytes = registry.counter({
    name: 'tracelith_query_scanned_bytes_total',
    unit: 'bytes',
    help: 'Stored bytes that queries looked at, read from disk or kept from before',
    labels: ['kind'],
  });
  const bytesOfOne = registry.histogram(
    {
      name: 'vt_storage_per_query_total_read_bytes',
      unit: 'bytes',
      help: 'Stored bytes that one query looked at',
    },
    BYTES_BUCKETS,
  );
  const slow = registry.counter({
    name: 'tracelith_slow_queries_total',
    unit: 'queries',
    help: 'Queries that ran longer than -search.logSlowQueryDuration',
    labels: ['kind'],
  });
  for (const kind of KINDS) for (const one of [slow, bytes]) one.inc({ kind }, 0);
  return ({ kind, seconds, bytes: looked, outcome, isSlow }) => {
    queries.inc({ kind, outcome });
    durations.observe({ kind }, seconds);
    bytes.inc({ kind }, looked);
    bytesOfOne.observe(looked);
    if (isSlow) slow.inc({ kind });
  };
}

/** Registers what is read of the turns at a scrape. */
export function createTurnMetrics(registry: MetricRegistry, read: () => QueryTurns): void {
  const turns = registry.source(read);
  const unit = 'queries';
  const named = (name: string, help: string) => ({ name, unit, help });
  turns.gauge(named('vt_concurrent_select_current', 'Queries that run now'), (now) => now.running);
  const capacity = named(
    'vt_concurrent_select_capacity',
    'Queries that may run at once: -search.maxConcurrentRequests',
  );
  turns.gauge(capacity, (now) => now.runningMax);
  turns.gauge(named('tracelith_select_waiting', 'Queries that wait for their turn'), (now) => now.waiting);
  const reached = named('vt_concurrent_select_limit_reached_total', 'Queries that had to wait for a turn');
  turns.counter(reached, (now) => now.limitReached);
  const timeouts = named(
    'vt_concurrent_select_limit_timeout_total',
    'Queries that got no turn: refused, or not in time',
  );
  turns.counter(timeouts, (now) => now.limitTimeouts);
}
