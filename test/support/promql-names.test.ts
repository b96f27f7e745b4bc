// The names in an expression.
import { expect, test } from 'vitest';
import { promqlNames } from './promql-names.ts';

test.each([
  ['vt_rows > 5', ['vt_rows'], []],
  ['sum by (job, reason) (increase(vt_rows_total{a=~"b{c}", job="x"}[5m])) > 0', ['vt_rows_total'], ['reason', 'a']],
  ['max(a{path!="x"}) / on (path) group_left (kind) b offset 5m and c', ['a', 'b', 'c'], ['path', 'kind']],
  ['predict_linear(free[6h], 24 * 3600) < 0', ['free'], []],
  ['histogram_quantile(0.99, sum(rate(d_bucket[$__rate_interval])) by (le))', ['d_bucket'], []],
])('%s', (expression, metrics, labels) => {
  expect(promqlNames(expression)).toEqual({ metrics, labels });
});
