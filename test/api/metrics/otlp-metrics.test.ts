// OTLP metrics: each kind as the protocol defines it, from the same families as the text formats.
import { expect, test } from 'vitest';
import { bucketSamples, type MetricFamily } from '../../../src/api/metrics/metric-registry.ts';
import { otlpMetrics } from '../../../src/api/metrics/otlp-metrics.ts';

const family = (name: string, kind: MetricFamily['kind'], unit: string, samples: MetricFamily['samples']) => ({
  name,
  kind,
  unit,
  help: `About ${name}`,
  labels: [],
  samples,
});
const times = { startTimeUnixNano: '1000000000', timeUnixNano: '5000000000' };
const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });

function metricsOf(...families: MetricFamily[]): unknown[] {
  const { write } = otlpMetrics({ resource: { job: 'x' }, version: '1', startMs: 1_000, nowMs: () => 5_000 });
  const request = JSON.parse(write(families)) as { resourceMetrics: { scopeMetrics: { metrics: unknown[] }[] }[] };
  return request.resourceMetrics[0]!.scopeMetrics[0]!.metrics;
}

test('counters and gauges', () => {
  const counter = family('read_bytes_total', 'counter', 'bytes', [{ labels: { path: '/a' }, value: 3 }]);
  const gauge = family('odd', 'gauge', 'seconds', [
    { labels: {}, value: NaN },
    { labels: {}, value: -Infinity },
  ]);
  expect(metricsOf(counter, gauge, family('none', 'gauge', '1', []))).toEqual([
    {
      name: 'read_bytes_total',
      description: 'About read_bytes_total',
      unit: 'By',
      sum: {
        dataPoints: [{ ...times, attributes: [attribute('path', '/a')], asDouble: 3 }],
        aggregationTemporality: 2,
        isMonotonic: true,
      },
    },
    {
      name: 'odd',
      description: 'About odd',
      gauge: {
        dataPoints: [
          { ...times, attributes: [], asDouble: 'NaN' },
          { ...times, attributes: [], asDouble: '-Infinity' },
        ],
      },
    },
  ]);
});

test('histograms count what is in each bucket, by series', () => {
  const of = (path: string, counts: number[]) =>
    bucketSamples('wait_seconds', { path }, { bounds: [0.5, 1], counts, sum: 4.5 });
  const samples = [...of('/a', [2, 0, 1]), ...of('/b', [0, 0, 0])];
  expect(metricsOf(family('wait_seconds', 'histogram', 'seconds', samples))).toEqual([
    {
      name: 'wait_seconds',
      description: 'About wait_seconds',
      unit: 's',
      histogram: {
        dataPoints: [
          {
            ...times,
            attributes: [attribute('path', '/a')],
            count: '3',
            sum: 4.5,
            bucketCounts: ['2', '0', '1'],
            explicitBounds: [0.5, 1],
          },
          {
            ...times,
            attributes: [attribute('path', '/b')],
            count: '0',
            sum: 4.5,
            bucketCounts: ['0', '0', '0'],
            explicitBounds: [0.5, 1],
          },
        ],
        aggregationTemporality: 2,
      },
    },
  ]);
});

test('summaries have their quantiles', () => {
  const samples = [
    { labels: { path: '/a', quantile: 0.5 }, value: 1 },
    { labels: { path: '/a', quantile: 0.99 }, value: 2 },
    { name: 'took_seconds_sum', labels: { path: '/a' }, value: 9 },
    { name: 'took_seconds_count', labels: { path: '/a' }, value: 4 },
  ];
  expect(metricsOf(family('took_seconds', 'summary', 'seconds', samples))).toMatchObject([
    {
      summary: {
        dataPoints: [
          {
            attributes: [attribute('path', '/a')],
            count: '4',
            sum: 9,
            quantileValues: [
              { quantile: 0.5, value: 1 },
              { quantile: 0.99, value: 2 },
            ],
          },
        ],
      },
    },
  ]);
});
