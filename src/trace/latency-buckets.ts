// The buckets of latency histograms: log-linear over ns, eight per octave, so that a bucket is at most an eighth wider
// than its lower bound and durations below 16 ns are exact. Bucket numbers are stored in roll-ups
// (docs/format/part.md), so their meaning never changes.
import { assert } from '../base/assert.ts';

const SUB_BITS = 3;
const SUB_BUCKETS: number = 1 << SUB_BITS;
/** 2^53 shifted right by this fits in 32 bits. */
const WIDE_SHIFT = 22;

/** Number of buckets: the last one ends above 2^53 ns (104 days), the longest duration of a span. */
export const LATENCY_BUCKETS: number = SUB_BUCKETS * (54 - SUB_BITS + 1);

/** The bucket of a duration in ns, an integer up to 2^53. A span that ends before it starts has latency 0. */
export function bucketOf(durationNs: number): number {
  if (durationNs < SUB_BUCKETS) return durationNs > 0 ? durationNs : 0;
  if (durationNs < 4294967296) {
    const octave = 31 - Math.clz32(durationNs);
    return SUB_BUCKETS * (octave - SUB_BITS) + (durationNs >>> (octave - SUB_BITS));
  }
  assert(durationNs <= 2 ** 53, 'a duration beyond 2^53 ns has no bucket');
  // In a number above 2^32 the lowest 22 bits do not affect the bucket.
  return SUB_BUCKETS * WIDE_SHIFT + bucketOf(Math.floor(durationNs / 2 ** WIDE_SHIFT));
}

/** The shortest duration in bucket `bucket`, ns. */
export function bucketMinNs(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const octave = (bucket >>> SUB_BITS) - 1 + SUB_BITS;
  return (SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) * 2 ** (octave - SUB_BITS);
}

/** The longest duration in bucket `bucket`, ns. */
export function bucketMaxNs(bucket: number): number {
  return bucketMinNs(bucket + 1) - 1;
}
