// docs/METRICS.md lists every metric with its unit and meaning, and the names keep Prometheus' habits.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allMetrics, metricsPage } from './support/metrics-page.ts';
import { root } from './support/source-tree.ts';

test('METRICS.md is what the program knows; run with -u to write it anew', async () => {
  await expect(metricsPage(allMetrics())).toMatchFileSnapshot(join(root, 'docs/METRICS.md'));
});

test('what the page says is missing is missing', () => {
  const [, missing = ''] = metricsPage(allMetrics()).split('\n## What VictoriaTraces has');
  const named = [...missing.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) => [
    ...cell.matchAll(/`([a-z_]+)(\*|\{([a-z_,]+)\}([a-z_]*))?`/g),
  ]);
  const patterns = named.map(([, start = '', , choices, end = '']) => {
    if (choices === undefined) return start.endsWith('_') ? new RegExp(`^${start}`) : new RegExp(`^${start}$`);
    return new RegExp(`^${start}(${choices.replaceAll(',', '|')})${end}$`);
  });
  expect(patterns.length).toBeGreaterThan(15);
  const there = allMetrics().filter(({ name }) => patterns.some((pattern) => pattern.test(name)));
  expect(there.map(({ name }) => name)).toEqual([]);
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
