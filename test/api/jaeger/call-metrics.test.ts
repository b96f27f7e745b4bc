import { describe, expect, test } from 'vitest';
import {
  callMetricLines,
  callSeriesQuery,
  describeCallMetric,
  pointCount,
  type CallMetricKind,
  type CallMetricsRequest,
} from '../../../src/api/jaeger/call-metrics.ts';
import { bucketMaxNs, bucketMinNs, bucketOf } from '../../../src/trace/latency-buckets.ts';
import type { CallSeries } from '../../../src/trace/store.ts';

const MINUTE = 60_000;
/** A whole minute. */
const END_MS = 29_393_333 * MINUTE;

interface Minute {
  /** Minutes before END_MS. */
  readonly ago: number;
  readonly latenciesNs: readonly number[];
  readonly errors?: number;
}

function seriesOf(minutes: readonly Minute[], operation?: string): CallSeries {
  const bucketEnds: number[] = [];
  const buckets: number[] = [];
  const counts: number[] = [];
  for (const { latenciesNs } of minutes) {
    const histogram = Map.groupBy(latenciesNs, bucketOf);
    for (const bucket of [...histogram.keys()].sort((a, b) => a - b)) {
      buckets.push(bucket);
      counts.push(histogram.get(bucket)!.length);
    }
    bucketEnds.push(buckets.length);
  }
  return {
    service: 'shop',
    operation,
    minutes: Float64Array.from(minutes, ({ ago }) => END_MS / MINUTE - ago),
    calls: Float64Array.from(minutes, ({ latenciesNs }) => latenciesNs.length),
    errors: Float64Array.from(minutes, ({ errors = 0 }) => errors),
    bucketEnds: Uint32Array.from(bucketEnds),
    buckets: Uint16Array.from(buckets),
    counts: Float64Array.from(counts),
  };
}

const ASKED: CallMetricsRequest = {
  services: ['shop'],
  kinds: [2],
  isByOperation: false,
  endMs: END_MS,
  lookbackMs: 5 * MINUTE,
  stepMs: MINUTE,
  ratePerMs: 2 * MINUTE,
};

function valuesOf(minutes: readonly Minute[], kind: CallMetricKind, more: Partial<CallMetricsRequest> = {}): number[] {
  const [line] = [...callMetricLines([seriesOf(minutes)], { ...ASKED, ...more }, kind)];
  return [...line!.values];
}

const times = (count: number, ns = 1_000): number[] => Array.from({ length: count }, () => ns);

describe('what is asked of the store', () => {
  test('reaches back by the window of the first point', () => {
    const { startNs, endNs, ...rest } = callSeriesQuery({ ...ASKED, endMs: END_MS + 1 });
    expect(rest).toEqual({ services: ['shop'], kinds: [2], isByOperation: false });
    expect([startNs, endNs]).toEqual([BigInt(END_MS - 6 * MINUTE) * 1_000_000n, BigInt(END_MS + 1) * 1_000_000n]);
    expect(callSeriesQuery({ ...ASKED, endMs: 10 })).toMatchObject({ startNs: 0n, endNs: 10_000_000n });
  });

  test('points are at every step from the start to the end', () => {
    expect(pointCount(ASKED)).toBe(6);
    expect(pointCount({ ...ASKED, stepMs: 90_000 })).toBe(4);
    expect(pointCount({ ...ASKED, lookbackMs: 0 })).toBe(1);
  });
});

describe('rates', () => {
  test('calls a second over the minutes of the window, which moves with the points', () => {
    const minutes = [
      { ago: 6, latenciesNs: times(120) },
      { ago: 3, latenciesNs: times(240) },
      { ago: 0, latenciesNs: times(12) },
    ];
    expect(valuesOf(minutes, { metric: 'calls' })).toEqual([1, 0, 2, 2, 0, 0.1]);
  });

  test('points within one minute are equal, and a window is at least one minute', () => {
    const minutes = [{ ago: 1, latenciesNs: times(60) }];
    const more = { lookbackMs: MINUTE, stepMs: 20_000, ratePerMs: 1 };
    expect(valuesOf(minutes, { metric: 'calls' }, more)).toEqual([1, 1, 1, 0]);
    expect(valuesOf(minutes, { metric: 'calls' }, { ...more, stepMs: 15 * 60_000 })).toEqual([1]);
  });

  test('F6: errors are a share of the calls, and 0 where there were no calls', () => {
    const minutes = [
      { ago: 3, latenciesNs: times(4), errors: 1 },
      { ago: 0, latenciesNs: times(1), errors: 1 },
    ];
    expect(valuesOf(minutes, { metric: 'errors' })).toEqual([0, 0, 0.25, 0.25, 0, 1]);
  });
});

describe('quantiles', () => {
  test('lie in the bucket of the sorted value, in ms; none without calls', () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const latenciesNs = Array.from({ length: 5_000 }, () => Math.floor(1_000 * 1_000_000 ** random()));
    const sorted = latenciesNs.toSorted((a, b) => a - b);
    for (const quantile of [0, 0.01, 0.5, 0.75, 0.95, 0.99, 1]) {
      const values = valuesOf([{ ago: 0, latenciesNs }], { metric: 'latencies', quantile });
      const exact = sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)]!;
      expect(values.slice(0, 5)).toEqual([NaN, NaN, NaN, NaN, NaN]);
      expect(values[5]).toBeGreaterThanOrEqual(bucketMinNs(bucketOf(exact)) / 1e6);
      expect(values[5]).toBeLessThanOrEqual((bucketMaxNs(bucketOf(exact)) + 1) / 1e6);
    }
  });

  test('are interpolated within the bucket', () => {
    const start = 2 ** 20; // of a bucket that is 2^17 wide
    const [value] = valuesOf(
      [{ ago: 0, latenciesNs: times(4, start) }],
      { metric: 'latencies', quantile: 0.5 },
      {
        lookbackMs: 0,
      },
    );
    expect(value).toBe((start + 2 ** 16) / 1e6);
  });

  test('what leaves the window leaves the histogram', () => {
    const minutes = [
      { ago: 5, latenciesNs: times(1_000, 5_000_000_000) },
      { ago: 3, latenciesNs: times(1, 1_000_000) },
    ];
    const [first, , third] = valuesOf(minutes, { metric: 'latencies', quantile: 0.99 });
    expect(first).toBeGreaterThan(4_000);
    expect(third).toBeLessThan(1.2);
  });
});

test('F7: the names that Jaeger UI files lines under', () => {
  expect(describeCallMetric({ metric: 'latencies', quantile: 0.95 }, false)).toEqual({
    name: 'service_latencies',
    help: '0.95th quantile latency, grouped by service',
  });
  expect(describeCallMetric({ metric: 'calls' }, true)).toEqual({
    name: 'service_operation_call_rate',
    help: 'calls/sec, grouped by service & operation',
  });
  expect(describeCallMetric({ metric: 'errors' }, true).name).toBe('service_operation_error_rate');
});
