// What queries cost stands in /metrics by kind and outcome, and how many wait.
import { expect, test } from 'vitest';
import { writePrometheus } from '../../../src/api/metrics/exposition.ts';
import { MetricRegistry } from '../../../src/api/metrics/metric-registry.ts';
import { createQueryMetrics, createTurnMetrics } from '../../../src/api/metrics/query-metrics.ts';

test('queries are counted by kind and outcome, timed, and their bytes summed by kind', async () => {
  const registry = new MetricRegistry();
  const count = createQueryMetrics(registry);
  count({ kind: 'search', seconds: 0.003, bytes: 100, outcome: 'ok', isSlow: false });
  count({ kind: 'search', seconds: 31, bytes: 11, outcome: 'TIMEOUT', isSlow: true });
  count({ kind: 'metrics', seconds: 0.001, bytes: 3_000, outcome: 'ok', isSlow: false });
  count({ kind: 'find', seconds: 0.0001, bytes: 7, outcome: 'ok', isSlow: false });
  const lines = writePrometheus(await registry.collect()).split('\n');
  for (const line of [
    'tracelith_queries_total{kind="search",outcome="ok"} 1',
    'tracelith_queries_total{kind="search",outcome="TIMEOUT"} 1',
    'tracelith_query_duration_seconds_bucket{le="0.005",kind="search"} 1',
    'tracelith_query_duration_seconds_bucket{le="30",kind="search"} 1',
    'tracelith_query_duration_seconds_bucket{le="+Inf",kind="search"} 2',
    'tracelith_query_duration_seconds_count{kind="search"} 2',
    'tracelith_query_scanned_bytes_total{kind="search"} 111',
    'tracelith_query_scanned_bytes_total{kind="find"} 7',
    'vt_storage_per_query_total_read_bytes_bucket{le="1024"} 3',
    'vt_storage_per_query_total_read_bytes_bucket{le="4096"} 4',
    'vt_storage_per_query_total_read_bytes_sum 3118',
    'tracelith_slow_queries_total{kind="search"} 1',
    'tracelith_slow_queries_total{kind="find"} 0',
  ]) {
    expect(lines).toContain(line);
  }
});

test('the turns are read at each scrape', async () => {
  const registry = new MetricRegistry();
  const turns = { running: 2, runningMax: 4, waiting: 0, limitReached: 0, limitTimeouts: 0 };
  createTurnMetrics(registry, () => turns);
  Object.assign(turns, { running: 4, waiting: 3, limitReached: 9, limitTimeouts: 1 });
  const lines = writePrometheus(await registry.collect()).split('\n');
  for (const line of [
    'vt_concurrent_select_current 4',
    'vt_concurrent_select_capacity 4',
    'tracelith_select_waiting 3',
    'vt_concurrent_select_limit_reached_total 9',
    'vt_concurrent_select_limit_timeout_total 1',
  ]) {
    expect(lines).toContain(line);
  }
});
