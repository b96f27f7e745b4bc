// Quantiles are at most an eighth too high, and forget.
import { expect, test } from 'vitest';
import { RecentQuantiles } from '../../../src/api/metrics/recent-quantiles.ts';

function shown(recent: RecentQuantiles): Map<string, number> {
  return new Map(
    recent
      .samples()
      .map(({ name = '', labels, value }) => [`${name} ${labels['path']} ${labels['quantile'] ?? ''}`, value]),
  );
}

test('each label value has its own quantiles, sum and count', () => {
  const recent = new RecentQuantiles('took_seconds', 'path', () => 0);
  for (let i = 1; i <= 1000; i++) recent.observe('/a', i / 1000);
  recent.observe('/b', 0);
  const samples = shown(recent);
  for (const [quantile, exact] of [
    [0.5, 0.5],
    [0.9, 0.9],
    [0.99, 0.99],
    [1, 1],
  ] as const) {
    const value = samples.get(` /a ${quantile}`)!;
    expect(value).toBeGreaterThanOrEqual(exact);
    expect(value).toBeLessThanOrEqual(exact * 1.126);
  }
  expect(samples.get('took_seconds_sum /a ')).toBeCloseTo(500.5);
  expect(samples.get('took_seconds_count /a ')).toBe(1000);
  expect([samples.get(' /b 0.99'), samples.get('took_seconds_count /b ')]).toEqual([0, 1]);
});

test('a value is forgotten after one to two windows; the count is not', () => {
  let nowMs = 0;
  const recent = new RecentQuantiles('took_seconds', 'path', () => nowMs);
  recent.observe('/a', 3);
  for (const [ms, isShown] of [
    [149_999, true],
    [299_999, true],
    [300_000, false],
  ] as const) {
    nowMs = ms;
    expect(shown(recent).has(' /a 0.5'), `after ${ms} ms`).toBe(isShown);
  }
  recent.observe('/a', 1);
  nowMs = 3_000_000;
  expect(shown(recent).get('took_seconds_count /a ')).toBe(2);
  expect(shown(recent).has(' /a 0.5')).toBe(false);
});
