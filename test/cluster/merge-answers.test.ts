// Answers of several nodes as one: sums, unions, and a cut in the place where one node cuts. test/contract has the whole of it.
import { expect, test } from 'vitest';
import {
  mergeExplanations,
  mergeHits,
  mergeLinks,
  mergeOperations,
  mergeSeries,
  mergeServices,
} from '../../src/cluster/merge-answers.ts';
import { BLOCK_FATES, type SearchExplanation } from '../../src/trace/search-explanation.ts';
import type { CallSeries, SearchHit } from '../../src/trace/store.ts';
import { idOf } from '../block/scanned.ts';
import { ANY_TRACE } from '../query/made-store.ts';

const hit = (trace: number, matchedStartNs: bigint): SearchHit => ({ traceId: idOf(trace, 16), matchedStartNs });
const numbers = (hits: readonly SearchHit[]): number[] => hits.map(({ traceId }) => traceId[15]!);

test('names are united, each once, in byte order', () => {
  expect(mergeServices([['b', 'ž'], [], ['a', 'b']])).toEqual(['a', 'b', 'ž']);
  const [get, put] = ['get', 'put'].map((name) => ({ name, kind: 2 }));
  expect(mergeOperations([[put!], [get!, put!, { name: 'put', kind: 3 }]])).toEqual([
    get,
    put,
    { name: 'put', kind: 3 },
  ]);
});

test('a trace counts with its latest match, and ties go by id', () => {
  const pages = [[hit(1, 9n), hit(2, 5n)], [hit(2, 9n), hit(3, 7n)], [hit(1, 2n)]];
  expect(numbers(mergeHits(pages, { ...ANY_TRACE, limit: 3 }))).toEqual([1, 2, 3]);
  expect(numbers(mergeHits(pages, { ...ANY_TRACE, limit: 1 }))).toEqual([1]);
  expect(mergeHits([], ANY_TRACE)).toEqual([]);
});

test('a page goes on to the first hit before its last unit, as one node’s', () => {
  const pages = [
    [hit(1, 100n), hit(4, 92n), hit(6, 80n)],
    [hit(2, 99n), hit(3, 95n), hit(5, 89n)],
  ];
  const page = (limit: number, tracesMax: number): number[] =>
    numbers(mergeHits(pages, { ...ANY_TRACE, limit, lastUnit: { startNs: 90n, tracesMax } }));
  expect(page(2, 10)).toEqual([1, 2, 3, 4, 5]);
  expect(page(2, 3)).toEqual([1, 2, 3]);
  expect(page(6, 10)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('links are summed by caller and callee', () => {
  const link = (parent: string, child: string, callCount: number) => ({ parent, child, callCount, errorCount: 1 });
  expect(mergeLinks([[link('a', 'c', 2)], [link('a', 'b', 1), link('a', 'c', 3)]])).toEqual([
    { parent: 'a', child: 'b', callCount: 1, errorCount: 1 },
    { parent: 'a', child: 'c', callCount: 5, errorCount: 2 },
  ]);
});

test('series are summed minute by minute and bucket by bucket', () => {
  const series = (minutes: number[], buckets: number[][], operation?: string): CallSeries => {
    let end = 0;
    return {
      service: 's',
      operation,
      minutes: Float64Array.from(minutes),
      calls: Float64Array.from(buckets, (of) => of.length),
      errors: Float64Array.from(minutes, () => 1),
      bucketEnds: Uint32Array.from(buckets, (of) => (end += of.length)),
      buckets: Uint16Array.from(buckets.flat()),
      counts: Float64Array.from(buckets.flat(), () => 1),
    };
  };
  const one = series([10, 12], [[3, 5], [7]]);
  const merged = mergeSeries([[one], [series([11, 12], [[1], [5, 7]]), series([1], [[2]], 'op')]]);
  expect(merged).toEqual([
    {
      service: 's',
      operation: undefined,
      minutes: Float64Array.of(10, 11, 12),
      calls: Float64Array.of(2, 1, 3),
      errors: Float64Array.of(1, 1, 2),
      bucketEnds: Uint32Array.of(2, 3, 5),
      buckets: Uint16Array.of(3, 5, 1, 5, 7),
      counts: Float64Array.of(1, 1, 1, 1, 2),
    },
    series([1], [[2]], 'op'),
  ]);
  expect(mergeSeries([[one]])).toEqual([one]);
});

test('work is summed, and times are those of the slowest', () => {
  const explanation = (bytes: number, tookMs: number): SearchExplanation => ({
    partitions: 1,
    parts: 2,
    blocks: 3,
    logBlocks: 1,
    fates: Object.fromEntries(BLOCK_FATES.map((fate) => [fate, 1])) as SearchExplanation['fates'],
    bytes,
    traces: 5,
    waitedMs: 0,
    tookMs,
    warnings: [],
  });
  const merged = mergeExplanations([explanation(10, 7), explanation(20, 3)], { limit: 6 });
  expect(merged).toMatchObject({ partitions: 2, parts: 4, blocks: 6, bytes: 30, traces: 6, tookMs: 7 });
  expect(Object.values(merged.fates)).toEqual(BLOCK_FATES.map(() => 2));
});
