// Both formats, byte for byte, and which one a scraper gets.
import { expect, test } from 'vitest';
import { chooseExposition, writeOpenMetrics, writePrometheus } from '../../../src/api/metrics/exposition.ts';
import type { MetricFamily } from '../../../src/api/metrics/metric-registry.ts';

const families: MetricFamily[] = [
  {
    name: 'bytes_read_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Says "how"\nand \\',
    labels: ['path'],
    samples: [{ labels: { path: 'a"b\\c\nd' }, value: 1.5 }],
  },
  {
    name: 'wait_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Waits',
    labels: [],
    samples: [
      { name: 'wait_seconds_bucket', labels: { le: 1 }, value: 2 },
      { name: 'wait_seconds_bucket', labels: { le: 2.5 }, value: 2 },
      { name: 'wait_seconds_bucket', labels: { le: '+Inf' }, value: 3 },
    ],
  },
  {
    name: 'odd',
    kind: 'gauge',
    unit: '1',
    help: 'Odd',
    labels: [],
    samples: [
      { labels: {}, value: NaN },
      { labels: {}, value: -Infinity },
    ],
  },
  { name: 'none', kind: 'gauge', unit: 'spans', help: 'None now', labels: [], samples: [] },
];

test('Prometheus text', () => {
  expect(writePrometheus(families)).toBe(
    [
      '# HELP bytes_read_bytes_total Says "how"\\nand \\\\',
      '# TYPE bytes_read_bytes_total counter',
      'bytes_read_bytes_total{path="a\\"b\\\\c\\nd"} 1.5',
      '# HELP wait_seconds Waits',
      '# TYPE wait_seconds histogram',
      'wait_seconds_bucket{le="1"} 2',
      'wait_seconds_bucket{le="2.5"} 2',
      'wait_seconds_bucket{le="+Inf"} 3',
      '# HELP odd Odd',
      '# TYPE odd gauge',
      'odd NaN',
      'odd -Inf',
      '# HELP none None now',
      '# TYPE none gauge',
      '',
    ].join('\n'),
  );
});

test('OpenMetrics: families of counters without _total, units that names end in, floats, and an end', () => {
  expect(writeOpenMetrics(families)).toBe(
    [
      '# TYPE bytes_read_bytes counter',
      '# UNIT bytes_read_bytes bytes',
      '# HELP bytes_read_bytes Says \\"how\\"\\nand \\\\',
      'bytes_read_bytes_total{path="a\\"b\\\\c\\nd"} 1.5',
      '# TYPE wait_seconds histogram',
      '# UNIT wait_seconds seconds',
      '# HELP wait_seconds Waits',
      'wait_seconds_bucket{le="1.0"} 2',
      'wait_seconds_bucket{le="2.5"} 2',
      'wait_seconds_bucket{le="+Inf"} 3',
      '# TYPE odd gauge',
      '# HELP odd Odd',
      'odd NaN',
      'odd -Inf',
      '# TYPE none gauge',
      '# HELP none None now',
      '# EOF',
      '',
    ].join('\n'),
  );
});

test.each([
  [undefined, 'text/plain'],
  ['*/*', 'text/plain'],
  ['text/plain; version=0.0.4', 'text/plain'],
  // Prometheus 2.42, and a scraper that knows only an older OpenMetrics.
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'application/openmetrics-text',
  ],
  ['application/openmetrics-text;version=0.0.1,text/plain;q=0.5', 'text/plain'],
  ['application/openmetrics-text;q=0.3,text/plain;q=0.5', 'text/plain'],
  ['application/openmetrics-text;q=0', 'text/plain'],
  ['Application/OpenMetrics-Text', 'application/openmetrics-text'],
  [';;,=q', 'text/plain'],
])('Accept: %s gets %s', (accept, type) => {
  expect(chooseExposition(accept).contentType).toMatch(new RegExp(`^${type}; version=`));
});
