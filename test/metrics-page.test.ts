// docs/METRICS.md lists every metric with its unit and meaning, and the names keep Prometheus' habits.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allMetrics, metricsPage } from './support/metrics-page.ts';
import { root } from './support/source-tree.ts';

test('METRICS.md is what the program knows; run with -u to write it anew', async () => {
  await expect(metricsPage(allMetrics())).toMatchFileSnapshot(join(root, 'docs/METRICS.md'));
});

test('every metric says what it means, counters are totals, and units are in the names', () => {
  const wrong = allMetrics().filter(({ name, kind, unit, help }) => {
    const isTotal = name.endsWith('_total');
    // Process start times, and seconds that VictoriaMetrics names by what they are.
    const isUnnamed = unit === 'seconds' && !/_seconds(_|$)/.test(name) && name !== 'vm_app_start_timestamp';
    return (
      help.length < 5 ||
      unit === '' ||
      isTotal !== (kind === 'counter') ||
      isUnnamed ||
      !/^[a-z_]+(_p99)?[a-z_]+$/.test(name)
    );
  });
  expect(wrong.map(({ name }) => name)).toEqual([]);
});
