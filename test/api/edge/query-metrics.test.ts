// What queries cost stands in /metrics by kind and outcome.
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createQueryMetrics } from '../../../src/api/edge/query-metrics.ts';

test('queries are counted by kind and outcome, timed and their bytes summed by kind', async () => {
  const registry = new Registry();
  const count = createQueryMetrics([registry]);
  count({ kind: 'search', seconds: 0.003, bytes: 100, outcome: 'ok' });
  count({ kind: 'search', seconds: 31, bytes: 11, outcome: 'TIMEOUT' });
  count({ kind: 'find', seconds: 0.0001, bytes: 7, outcome: 'ok' });
  const lines = (await registry.metrics()).split('\n');
  for (const line of [
    'tracelith_queries_total{kind="search",outcome="ok"} 1',
    'tracelith_queries_total{kind="search",outcome="TIMEOUT"} 1',
    'tracelith_queries_total{kind="find",outcome="ok"} 1',
    'tracelith_query_duration_seconds_bucket{le="0.005",kind="search"} 1',
    'tracelith_query_duration_seconds_count{kind="search"} 2',
    'tracelith_query_scanned_bytes_total{kind="search"} 111',
    'tracelith_query_scanned_bytes_total{kind="find"} 7',
  ]) {
    expect(lines).toContain(line);
  }
});
