// Every duration lies in its bucket, and no bucket is wide.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketMaxNs, bucketMinNs, bucketOf, LATENCY_BUCKETS } from '../../src/trace/latency-buckets.ts';

test.each([
  [-1, 0],
  [-(2 ** 53), 0],
  [0, 0],
  [1, 1],
  [15, 15],
  [16, 16],
  [17, 16],
  [18, 17],
  [1_000, 63],
  [1_000_000, 143],
  [2 ** 32 - 1, 239],
  [2 ** 32, 240],
  [2 ** 53, LATENCY_BUCKETS - 8],
])('%d ns are in bucket %d', (durationNs, bucket) => {
  expect(bucketOf(durationNs)).toBe(bucket);
});

test('buckets follow each other without a gap, each at most an eighth wider than its lower bound', () => {
  for (let bucket = 0; bucket < LATENCY_BUCKETS - 8; bucket++) {
    const min = bucketMinNs(bucket);
    const max = bucketMaxNs(bucket);
    expect([bucketOf(min), bucketOf(max), bucketMinNs(bucket + 1)]).toEqual([bucket, bucket, max + 1]);
    expect(max - min).toBeLessThanOrEqual(min / 8);
  }
});

test('a longer span is never in a lower bucket', () => {
  const duration = fc.double({ min: 0, max: 2 ** 53, noNaN: true }).map(Math.floor);
  fc.assert(
    fc.property(duration, duration, (a, b) => {
      expect(bucketOf(Math.max(a, b))).toBeGreaterThanOrEqual(bucketOf(Math.min(a, b)));
      expect(bucketMinNs(bucketOf(a))).toBeLessThanOrEqual(a);
      expect(bucketMaxNs(bucketOf(a))).toBeGreaterThanOrEqual(a);
    }),
  );
});
