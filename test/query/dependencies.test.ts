// Calls between services and of services, counted once each, wherever caller and callee lie.
import { describe, expect, test } from 'vitest';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import type { OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { bucketOf } from '../../src/trace/latency-buckets.ts';
import type { CallSeries, MetricsQuery } from '../../src/trace/store.ts';
import { CallCounts, CallNames } from '../../src/block/call-counts.ts';
import { SeriesTotals } from '../../src/query/call-series.ts';
import { MadeStore } from './made-store.ts';
import type { Disk, ReadFile } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery, type QueryTask } from '../../src/query/run-query.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';

type Calls = Record<string, number>;

function callsOf(store: MadeStore, startNs = 0n, endNs = 2n ** 63n): Calls {
  const result = store.run({ kind: 'dependencies', startNs, endNs });
  if (result.kind !== 'dependencies') throw new Error(result.kind);
  return Object.fromEntries(
    result.dependencies.map(({ parent, child, callCount }) => [`${parent} > ${child}`, callCount]),
  );
}

const child = (id: number, parent: number, more: OtlpSpan & { trace?: number } = {}): OtlpSpan =>
  span(id, { parentSpanId: idOf(parent, 8), ...more });

/** Calls of these spans, each given with its service, in one block. */
function inOneBlock(...spans: readonly (readonly [service: string, span: OtlpSpan])[]): Calls {
  using store = new MadeStore();
  const request: OtlpRequest = {
    resourceSpans: spans.flatMap(([service, one]) => requestOf([one], service).resourceSpans!),
  };
  store.addPart([request]);
  return callsOf(store);
}

describe('a call is a child span whose parent is in its trace, in another service', () => {
  test.each<[string, [string, OtlpSpan][], Calls]>([
    [
      'one',
      [
        ['a', span(1)],
        ['b', child(2, 1)],
      ],
      { 'a > b': 1 },
    ],
    [
      'two, and on',
      [
        ['a', span(1)],
        ['b', child(2, 1)],
        ['b', child(3, 1)],
        ['c', child(4, 3)],
      ],
      { 'a > b': 2, 'b > c': 1 },
    ],
    [
      'inside a service: none',
      [
        ['a', span(1)],
        ['a', child(2, 1)],
      ],
      {},
    ],
    ['to itself: none', [['a', child(1, 1)]], {}],
    [
      'the parent is not there: none',
      [
        ['a', span(1)],
        ['b', child(2, 9)],
      ],
      {},
    ],
    [
      'the parent is in another trace: none',
      [
        ['a', span(1)],
        ['b', child(2, 1, { trace: 2 })],
      ],
      {},
    ],
    [
      'a missing service has its name',
      [
        ['', span(1)],
        ['b', child(2, 1)],
      ],
      { 'empty-service-name > b': 1 },
    ],
    [
      'each other',
      [
        ['a', child(1, 2)],
        ['b', child(2, 1)],
      ],
      { 'a > b': 1, 'b > a': 1 },
    ],
  ])('%s', (_, spans, expected) => {
    expect(inOneBlock(...spans)).toEqual(expected);
  });

  test('links are sorted by parent, then child, by their bytes', () => {
    const spans = ['b', 'a', 'é', 'B'].flatMap((service, i): [string, OtlpSpan][] => [
      [service, span(10 + i, { trace: i + 1 })],
      ['z', child(20 + i, 10 + i, { trace: i + 1 })],
      ['y', child(30 + i, 10 + i, { trace: i + 1 })],
    ]);
    expect(Object.keys(inOneBlock(...spans))).toEqual(
      ['B', 'a', 'b', 'é'].flatMap((parent) => [`${parent} > y`, `${parent} > z`]),
    );
  });
});

describe('a client that leaves ends the counting at once', () => {
  const PARTS = 12;

  /** Reads of files behind the one at which the client left, which is the `leaveAt`-th. */
  function readsAfterLeaving(task: QueryTask, leaveAt: number): number {
    using store = new MadeStore();
    for (let i = 1; i <= PARTS; i++) store.addPart([requestOf([span(i, { trace: i })], 'a')]);
    // Counted beyond the parts: each is looked into for the traces it has.
    store.addLog([
      requestOf(
        Array.from({ length: PARTS }, (_, i) => child(50 + i, i + 1, { trace: i + 1 })),
        'b',
      ),
    ]);
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    let reads = 0;
    const openRead: Disk['openRead'] = (path) => {
      const file = nodeDisk.openRead(path);
      const read: ReadFile['read'] = (...place) => {
        if (++reads === leaveAt) cancelled[0] = 1;
        return file.read(...place);
      };
      return { path, sizeBytes: file.sizeBytes, read, close: () => file.close() };
    };
    const cache = new PartCache({ ...nodeDisk, openRead });
    const run = (): unknown =>
      runQuery(cache, { task, tenant: DEFAULT_TENANT, view: store.view, durationMaxMs: 60_000, cancelled });
    try {
      expect(run).toThrow(expect.objectContaining({ code: 'CANCELLED' }));
    } finally {
      cache.close();
    }
    return reads - leaveAt;
  }

  const query = { services: ['a', 'b'], kinds: [], startNs: 0n, endNs: 2n ** 63n, isByOperation: true };
  test.each<QueryTask>([
    { kind: 'dependencies', startNs: 0n, endNs: 2n ** 63n },
    { kind: 'metrics', query },
  ])('$kind', (task) => {
    // From opening the parts to looking into the last of them: what one part still takes is read, no more.
    for (let leaveAt = 1; leaveAt <= 8 * PARTS; leaveAt += 5) expect(readsAfterLeaving(task, leaveAt)).toBeLessThan(8);
  });
});

describe('wherever they lie', () => {
  const dayLater = { startTimeUnixNano: NOON_NS + 86_400_000_000_000n };

  test('in two parts and a log; not on another day', () => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1)], 'a')]);
    store.addPart([requestOf([child(2, 1)], 'b'), requestOf([child(5, 4, { trace: 2 })], 'b')]);
    store.addLog([requestOf([child(3, 2)], 'c'), requestOf([span(4, { trace: 2 })], 'a')]);
    store.addPart([requestOf([child(6, 3, dayLater)], 'd')]);
    expect(callsOf(store)).toEqual({ 'a > b': 2, 'b > c': 1 });
  });

  test('a span stored twice, or in two versions of the same times, counts once', () => {
    using store = new MadeStore();
    const versions = [child(2, 1), child(2, 1), child(2, 1, { name: 'other version' })];
    store.addPart([requestOf([span(1)], 'a'), requestOf(versions.slice(0, 1), 'b')]);
    store.addLog([requestOf(versions, 'b')]);
    expect(callsOf(store)).toEqual({ 'a > b': 1 });
  });

  test('one id in two services: the caller is the one of the smaller name, in one block or two', () => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1)], 'y'), requestOf([span(1)], 'x')]);
    store.addLog([requestOf([child(2, 1)], 'b')]);
    expect(callsOf(store)).toEqual({ 'x > b': 1 });
    expect(inOneBlock(['y', span(1)], ['x', span(1)], ['b', child(2, 1)])).toEqual({ 'x > b': 1 });
  });
});

test('the window is of the child span, in whole minutes, both ends inclusive; its parent may lie outside', () => {
  using store = new MadeStore();
  const minute = 60_000_000_000n;
  const late = { startTimeUnixNano: NOON_NS + minute + 10n };
  store.addPart([requestOf([span(1)], 'a'), requestOf([child(2, 1, late)], 'b')]);
  store.addPart([requestOf([span(3, { trace: 2 })], 'a')]);
  store.addLog([requestOf([child(4, 3, { trace: 2, ...late })], 'c')]);
  const both = { 'a > b': 1, 'a > c': 1 };
  expect(callsOf(store, NOON_NS + minute + 59n, NOON_NS + minute + 59n)).toEqual(both);
  expect(callsOf(store, NOON_NS + 5n, NOON_NS + minute)).toEqual(both);
  expect(callsOf(store, NOON_NS + 2n * minute, NOON_NS + 3n * minute)).toEqual({});
  expect(callsOf(store, 0n, NOON_NS + minute - 1n)).toEqual({});
});

test('an error is a child span with the status ERROR', () => {
  using store = new MadeStore();
  const failed = { status: { code: 2 } };
  store.addPart([requestOf([span(1, failed)], 'a'), requestOf([child(2, 1, failed), child(3, 1)], 'b')]);
  expect(store.run({ kind: 'dependencies', startNs: 0n, endNs: 2n ** 63n })).toMatchObject({
    dependencies: [{ parent: 'a', child: 'b', callCount: 2, errorCount: 1 }],
  });
});

describe('series of a service', () => {
  const minute = 60_000_000_000n;
  const noon = Number(NOON_NS / minute);
  const at = (minutes: bigint, lastsNs: bigint): OtlpSpan => ({
    startTimeUnixNano: NOON_NS + minutes * minute,
    endTimeUnixNano: NOON_NS + minutes * minute + lastsNs,
  });
  const ask = (store: MadeStore, more: Partial<MetricsQuery> = {}): CallSeries[] => {
    const query = { services: ['b'], kinds: [], startNs: 0n, endNs: 2n ** 62n, isByOperation: false, ...more };
    const result = store.run({ kind: 'metrics', query });
    if (result.kind !== 'metrics') throw new Error(result.kind);
    return result.series;
  };

  test('calls, errors and latencies by minute, over parts and log', () => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1, at(0n, 7n)), span(2, { ...at(2n, 100n), status: { code: 2 } })], 'b')]);
    store.addLog([requestOf([span(3, at(0n, 7n)), span(4, at(0n, 5n)), span(1, at(0n, 7n))], 'b')]);
    store.addLog([requestOf([span(5)], 'other')]);
    expect(ask(store)).toEqual([
      {
        service: 'b',
        operation: undefined,
        minutes: Float64Array.of(noon, noon + 2),
        calls: Float64Array.of(3, 1),
        errors: Float64Array.of(0, 1),
        bucketEnds: Uint32Array.of(2, 3),
        buckets: Uint16Array.of(5, 7, bucketOf(100)),
        counts: Float64Array.of(1, 2, 1),
      },
    ]);
  });

  test('by operation, of the kinds and services asked for, in the minutes asked for', () => {
    using store = new MadeStore();
    const one = (id: number, name: string, kind: number, minutes = 0n): OtlpSpan =>
      span(id, { name, kind, ...at(minutes, 1n) });
    store.addPart([requestOf([one(1, 'x', 2), one(2, '', 2), one(3, 'x', 3), one(4, 'x', 2, 5n)], 'b')]);
    store.addPart([requestOf([one(5, 'x', 2)], 'a')]);
    const rows = (more: Partial<MetricsQuery>): unknown[] =>
      ask(store, { isByOperation: true, ...more }).map(({ service, operation, calls, minutes }) => [
        service,
        operation,
        [...minutes].map((known) => known - noon),
        [...calls],
      ]);
    expect(rows({ kinds: [2] })).toEqual([
      ['b', 'empty-span-name', [0], [1]],
      ['b', 'x', [0, 5], [1, 1]],
    ]);
    expect(rows({ kinds: [3, 4] })).toEqual([['b', 'x', [0], [1]]]);
    expect(rows({ endNs: NOON_NS + minute, services: ['b', 'a', 'none'] })).toEqual([
      ['a', 'x', [0], [1]],
      ['b', 'empty-span-name', [0], [1]],
      ['b', 'x', [0], [2]],
    ]);
    expect(rows({ services: ['none'] })).toEqual([]);
  });

  test('a span sent in two versions is one call, of the smaller name, an error when one of them is', () => {
    using store = new MadeStore();
    const versions = [span(1, { name: 'y', status: { code: 2 } }), span(1, { name: 'x' })];
    store.addPart([requestOf(versions.slice(0, 1), 'b')]);
    store.addLog([requestOf(versions, 'b')]);
    expect(ask(store, { isByOperation: true })).toMatchObject([
      { operation: 'x', calls: Float64Array.of(1), errors: Float64Array.of(1), counts: Float64Array.of(1) },
    ]);
  });
});

test('more buckets of minutes than an answer may be made of are refused', () => {
  const query = { services: ['a'], kinds: [], startNs: 0n, endNs: 2n ** 62n, isByOperation: false };
  const names = new CallNames();
  const counts = new CallCounts();
  const series = names.seriesOf(names.services.intern(Buffer.from('a'), 0, 1), 0, 2);
  for (let i = 0; i < 300; i++) counts.addBucket(counts.addCalls(series, i, 1, 0), 5, 1);
  names.operations.intern(Buffer.from('op'), 0, 2);
  expect(() => new SeriesTotals(query, 1_000).addCounts(counts, names)).not.toThrow();
  expect(() => new SeriesTotals(query, 100).addCounts(counts, names)).toThrow(
    expect.objectContaining({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('fewer services') }),
  );
});

test('what is asked again of a log is what is there then, whatever names were met before', () => {
  using store = new MadeStore();
  store.addLog([requestOf([span(1)], 'a'), requestOf([child(2, 1)], 'b')]);
  expect(callsOf(store)).toEqual({ 'a > b': 1 });
  for (let i = 0; i < 30; i++) {
    const name = `${i}`.repeat(100_000);
    store.addLog([requestOf([child(100 + i, 1, { name })], 'c')]);
    expect(callsOf(store)).toEqual({ 'a > b': 1, 'a > c': i + 1 });
  }
  store.addPart([requestOf([child(3, 2)], 'd')]);
  expect(callsOf(store)).toEqual({ 'a > b': 1, 'a > c': 30, 'b > d': 1 });
});
