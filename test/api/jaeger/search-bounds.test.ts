// What the bounds of a search mean in every spelling: a time covers its unit, so windows that follow each other lose nothing and
// paging by the starts that are shown gets through everything; limits are clamped.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QueryString } from '../../../src/api/go/query-string.ts';
import { toSearch } from '../../../src/api/jaeger/grpc-search.ts';
import { parseDependencyRange, parseTraceSearch } from '../../../src/api/jaeger/jaeger-params.ts';
import { parseV3Search } from '../../../src/api/jaeger/jaeger-v3-search.ts';
import { clampLimit, overfullWarnings } from '../../../src/api/jaeger/search-bounds.ts';
import type { TraceQuery } from '../../../src/trace/trace-query.ts';
import { NOON_NS, requestOf, span } from '../../block/scanned.ts';
import { knownSpans, searchNaively } from '../../support/search-oracle.ts';
import { ANY_TRACE, MadeStore } from '../../query/made-store.ts';

const TRACES_MAX = 200;

/** How a client writes a window from the unit of `fromNs` to that of `toNs`, `limit` traces of it. */
interface Spelling {
  readonly name: string;
  readonly unitNs: bigint;
  readonly search: (fromNs: bigint, toNs: bigint, limit: number) => TraceQuery;
}

const legacy = (name: string, unitNs: bigint): Spelling => ({
  name,
  unitNs,
  search: (fromNs, toNs, limit) => {
    const params = `service=shop&start=${fromNs / unitNs}&end=${toNs / unitNs}&limit=${limit}`;
    return parseTraceSearch(new QueryString(params), { nowMs: 0, maxTraces: TRACES_MAX }).query;
  },
});

const v3 = (name: string, unitNs: bigint, digits: number): Spelling => ({
  name,
  unitNs,
  search: (fromNs, toNs, limit) => {
    const text = (ns: bigint): string => {
      const fraction =
        digits === 0
          ? ''
          : `.${String(ns % 1_000_000_000n)
              .padStart(9, '0')
              .slice(0, digits)}`;
      return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}${fraction}Z`;
    };
    // Equal ends are refused, as in Jaeger.
    const from = text(fromNs - unitNs);
    const params = `query.serviceName=shop&query.startTimeMin=${from}&query.startTimeMax=${text(toNs)}&query.searchDepth=${limit}`;
    return parseV3Search(new QueryString(params), TRACES_MAX).query;
  },
});

const grpc = (name: string, unitNs: bigint): Spelling => ({
  name,
  unitNs,
  search: (fromNs, toNs, searchDepth) => {
    const time = (ns: bigint): { seconds: bigint; nanos: number } => {
      const given = ns - (ns % unitNs);
      return { seconds: given / 1_000_000_000n, nanos: Number(given % 1_000_000_000n) };
    };
    const message = { serviceName: 'shop', startTimeMin: time(fromNs), startTimeMax: time(toNs), searchDepth };
    return toSearch(message, [], { maxTraces: TRACES_MAX }).query;
  },
});

const SPELLINGS: readonly Spelling[] = [
  legacy('legacy in s', 1_000_000_000n),
  legacy('legacy in ms', 1_000_000n),
  legacy('legacy in us', 1_000n),
  legacy('legacy in ns', 1n),
  v3('v3 in s', 1_000_000_000n, 0),
  v3('v3 in ms', 1_000_000n, 3),
  v3('v3 in us', 1_000n, 6),
  v3('v3 in ns', 1n, 9),
  grpc('gRPC in ms', 1_000_000n),
  grpc('gRPC in us', 1_000n),
  grpc('gRPC in ns', 1n),
];

/** Any ns of some years. */
const instant = fc.bigInt(1_700_000_000_000_000_000n, 1_900_000_000_000_000_000n);
const isIn = (ns: bigint, { startMinNs, startMaxNs }: TraceQuery): boolean => ns >= startMinNs && ns <= startMaxNs;

describe.each(SPELLINGS)('$name', ({ unitNs, search }) => {
  test('a span is found from and to the start it is shown with', () => {
    fc.assert(fc.property(instant, (ns) => isIn(ns, search(ns, ns, 1))));
  });

  test('what starts in the next unit is not found', () => {
    const holds = (ns: bigint): boolean => {
      const given = ns - (ns % unitNs);
      // A Timestamp of a whole ms or us is one.
      fc.pre(given % (1_000n * unitNs) !== 0n);
      return !isIn(given + unitNs, search(ns, ns, 1));
    };
    fc.assert(fc.property(instant, holds));
  });

  test('paging by the starts that are shown gets through everything, page by page as a plain loop', () => {
    if (unitNs > 1_000_000n) return; // nobody is shown whole seconds
    const gaps = fc.array(fc.constantFrom(0n, 1n, 37n, 400n, 1_000n, 250_000n, 1_000_000n), { maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 9 }), (steps, limit) => {
        using store = new MadeStore();
        let startTimeUnixNano = NOON_NS + 350n;
        const spans = steps.map((step, i) =>
          span(i + 1, { trace: i + 1, startTimeUnixNano: (startTimeUnixNano += step) }),
        );
        for (let from = 0; from < spans.length; from += 20) store.addPart([requestOf(spans.slice(from, from + 20))]);
        const known = knownSpans(requestOf(spans));
        const seen = new Set<number>();
        let end = startTimeUnixNano + 1_000_000_000n;
        for (;;) {
          const query = { ...ANY_TRACE, ...search(NOON_NS, end, limit) };
          const page = store.search(query);
          expect(page).toEqual(searchNaively(known, query).map((id) => Number(`0x${id.slice(-2)}`)));
          const before = seen.size;
          for (const trace of page) seen.add(trace);
          if (seen.size === before) break;
          end = page.map((trace) => spans[trace - 1]!.startTimeUnixNano!).reduce((a, b) => (a < b ? a : b));
        }
        expect(seen.size).toBe(spans.length);
      }),
      { numRuns: 25 },
    );
  });
});

test('a page goes on to the first trace below the last unit, and no further; at most as far as traces are given', () => {
  using store = new MadeStore();
  const starts = [0n, 1n, 5_001n, 5_002n, 5_003n, 5_004n];
  store.addPart([requestOf(starts.map((ns, i) => span(i + 1, { trace: i + 1, startTimeUnixNano: NOON_NS + ns })))]);
  const window = { startMaxNs: NOON_NS + 5_999n, limit: 2 };
  const lastUnit = { startNs: NOON_NS + 5_000n, tracesMax: 100 };
  expect(store.search(window)).toEqual([6, 5]);
  expect(store.search({ ...window, lastUnit })).toEqual([6, 5, 4, 3, 2]);
  expect(store.search({ ...window, lastUnit: { ...lastUnit, tracesMax: 3 } })).toEqual([6, 5, 4]);
  expect(store.search({ ...window, lastUnit, limit: 6 })).toEqual([6, 5, 4, 3, 2, 1]);
  expect(store.search({ ...window, startMinNs: NOON_NS + 5_000n, lastUnit })).toEqual([6, 5, 4, 3]);
});

test('dependencies end with the unit of endTs and begin lookback before it', () => {
  const range = parseDependencyRange(new QueryString('endTs=1763600000&lookback=1000'), 0);
  expect([range.startNs, range.endNs]).toEqual([1_763_599_999_000_000_000n, 1_763_600_000_999_999_999n]);
});

test('a limit is clamped with a word, an answer beyond it comes with one', () => {
  expect(clampLimit(5, 5)).toEqual({ limit: 5, warnings: [] });
  expect(clampLimit(6, 5)).toEqual({ limit: 5, warnings: [expect.stringContaining('-search.maxTraces')] });
  expect(overfullWarnings({ ...ANY_TRACE, limit: 5 }, 5)).toEqual([]);
  expect(overfullWarnings({ ...ANY_TRACE, limit: 5 }, 6)).toEqual([expect.stringMatching(/^6 traces instead of 5/)]);
});
