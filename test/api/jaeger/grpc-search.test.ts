// Times, durations and depths of gRPC searches at their edges.
import { describe, expect, test } from 'vitest';
import { durationNs, timestampNs, timestampOf, toSearch, traceIdOf } from '../../../src/api/jaeger/grpc-search.ts';

describe('times', () => {
  test.each([
    ['no time', undefined, undefined],
    ["Go's zero time", { seconds: -62_135_596_800n }, undefined],
    ['the epoch', {}, 0n],
    ['the last nanosecond of a second', { seconds: 1_763_600_000n, nanos: 999_999_999 }, 1_763_600_000_999_999_999n],
    ['a time before the epoch', { seconds: -1n, nanos: 999_999_999 }, -1n],
  ])('%s', (_what, time, ns) => {
    expect(timestampNs(time)).toBe(ns);
  });

  test('a time comes back as it went', () => {
    const { seconds, nanos } = timestampOf(1_763_600_000_000_000_001n);
    expect(timestampNs({ seconds: BigInt(seconds), nanos })).toBe(1_763_600_000_000_000_001n);
  });

  test('a duration that is not set is zero', () => {
    expect([durationNs(undefined), durationNs({ nanos: 4_500 }), durationNs({ seconds: 2n })]).toEqual([
      0n,
      4_500n,
      2_000_000_000n,
    ]);
  });
});

describe('toSearch', () => {
  test.each([
    ['nothing', {}, false],
    ['an instant', { startTimeMin: { seconds: 5n }, startTimeMax: { seconds: 5n } }, false],
    ['an empty window', { startTimeMin: { seconds: 5n, nanos: 1_000_000 }, startTimeMax: { seconds: 5n } }, true],
    ['a window before 1970', { startTimeMax: { seconds: -5n } }, true],
    ['one duration', { durationMin: { nanos: 5 }, durationMax: { nanos: 5 } }, false],
    ['durations that exclude each other', { durationMin: { nanos: 5 }, durationMax: { nanos: 4 } }, true],
    ['a negative maximum', { durationMax: { nanos: -1 } }, true],
  ])('%s', (_what, message, isHopeless) => {
    expect(toSearch(message, [], { maxTraces: 50 }).isHopeless).toBe(isHopeless);
  });

  test.each([
    [undefined, 50, 50],
    [0, 1_000, 100],
    [-1, 1_000, 100],
    [1_000, 1_000, 1_000],
    [1_001, 1_000, 1_000],
  ])('a depth of %s below %i is %i', (searchDepth, maxTraces, limit) => {
    expect(toSearch(searchDepth === undefined ? {} : { searchDepth }, [], { maxTraces }).query.limit).toBe(limit);
  });

  test('tags are texts, or expressions where the node allows them', () => {
    const bounds = { maxTraces: 50 };
    expect(toSearch({}, [['k!', '~v']], bounds).query.tags).toEqual([{ key: 'k!', value: '~v' }]);
    expect(toSearch({}, [['k!', '~v']], { ...bounds, hasTagExpressions: true }).query.tags).toEqual([
      { key: 'k', value: 'v', isPattern: true, isNegated: true },
    ]);
  });

  test('a depth above the limit says so', () => {
    expect(toSearch({ searchDepth: 51 }, [], { maxTraces: 50 }).warnings).toEqual([
      '51 traces were asked for, at most 50 are given (-search.maxTraces)',
    ]);
  });

  test.each([
    ['a whole ms, as a browser asks through Jaeger', 2_000_000, 2_999_999n],
    ['a whole us, as Jaeger’s legacy API asks', 2_001_000, 2_001_999n],
    ['any other', 2_001_001, 2_001_001n],
  ])('an end at %s covers it', (_what, nanos, last) => {
    const { query } = toSearch({ startTimeMax: { seconds: 5n, nanos } }, [], { maxTraces: 50 });
    expect(query).toMatchObject({
      startMaxNs: 5_000_000_000n + last,
      lastUnit: { startNs: 5_000_000_000n + BigInt(nanos), tracesMax: 50 },
    });
  });

  test('no end is no page', () => {
    expect(toSearch({}, [], { maxTraces: 50 }).query).not.toHaveProperty('lastUnit');
  });
});

test('a trace id has 16 bytes', () => {
  expect(traceIdOf(Buffer.alloc(16, 1))).toEqual(new Uint8Array(16).fill(1));
  expect(() => traceIdOf(undefined)).toThrow('trace_id: expected 16 bytes, got 0');
});
