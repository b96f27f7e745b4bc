import { describe, expect, test } from 'vitest';
import { readTraceInTurns, readTraceView } from '../../../src/api/jaeger/jaeger-model.ts';
import { formatSpanId, ROWS_PER_TURN, SpanIdIndex, TraceView } from '../../../src/api/jaeger/trace-view.ts';
import { encodeTraces } from '../../support/otlp-proto.ts';
import { RICH_START_NS, span, spanId, traceOf } from '../../support/rich-trace.ts';

/** A view of rows with the given ids. */
function viewOf(ids: readonly (readonly [number, number])[]): TraceView {
  const view = new TraceView(Buffer.alloc(0));
  for (const [high, low] of ids) view.setId(view.add(0, 0), high, low);
  return view;
}

test('rows keep what was set, however many there are', () => {
  const view = viewOf(Array.from({ length: 1_000 }, (_, i) => [i, 0xffff_ffff - i] as const));
  for (let row = 0; row < 1_000; row++) {
    view.setParentId(row, 0, row);
    view.setKind(row, row % 6);
    view.setTimes(row, BigInt(row), BigInt(row) + 1n);
  }
  view.addWarning(7, 'one');
  view.addWarning(7, 'two');
  expect(view.count).toBe(1_000);
  expect(view.spanId(999)).toBe('000003e7fffffc18');
  expect([view.hasParent(0), view.parentId(0), view.parentId(10)]).toEqual([false, '', '000000000000000a']);
  expect([view.kind(5), view.startNs(5), view.endNs(5)]).toEqual([5, 5n, 6n]);
  view.scopes.push({ nameStart: 0, nameEnd: 0, versionStart: 0, versionEnd: 0 });
  expect([...view.spans()].map(({ warnings }) => warnings.length).filter((count) => count > 0)).toEqual([2]);
});

test('ids are the last eight bytes, shorter ones extended with zeros on the left', () => {
  const view = new TraceView(Buffer.from('0102030405060708090a', 'hex'));
  const idOf = (start: number, end: number): string => {
    const row = view.add(0, 0);
    view.readId(row, start, end);
    return view.spanId(row);
  };
  expect([idOf(0, 8), idOf(0, 10), idOf(2, 5), idOf(0, 5), idOf(0, 0)]).toEqual([
    '0102030405060708',
    '030405060708090a',
    '0000000000030405',
    '0000000102030405',
    '0000000000000000',
  ]);
  expect(formatSpanId(0xdead_beef, 1)).toBe('deadbeef00000001');
});

describe('the index of span ids', () => {
  test('finds the first row of an id, and nothing that was not added', () => {
    const view = viewOf([
      [1, 2],
      [2, 1],
      [1, 2],
      [0, 0],
    ]);
    const index = new SpanIdIndex(view);
    expect([0, 1, 2].map((row) => index.add(row))).toEqual([0, 1, 0]);
    expect([index.find(1, 2), index.find(2, 1), index.find(0, 0), index.find(9, 9)]).toEqual([0, 1, -1, -1]);
  });

  test('holds as many ids as there are rows, whatever their hashes', () => {
    const view = viewOf(Array.from({ length: 5_000 }, (_, i) => [0, i << 16] as const));
    const index = new SpanIdIndex(view);
    for (let row = 0; row < view.count; row++) index.add(row);
    for (let row = 0; row < view.count; row++) expect(index.find(0, (row << 16) >>> 0)).toBe(row % 65_536);
  });
});

test('a big trace is read in turns, and is the one that is read at once', () => {
  const count = 3 * ROWS_PER_TURN + 1;
  const otlp = encodeTraces(
    traceOf(Array.from({ length: count }, (_, i) => span(i + 1, i === 0 ? {} : { parentSpanId: spanId(1) }))),
  );
  const reading = readTraceInTurns(otlp);
  let turns = 0;
  let step = reading.next();
  for (; step.done !== true; step = reading.next()) turns += step.value.length === 0 ? 1 : NaN;
  expect(turns).toBe(3);
  const once = readTraceView(otlp)!;
  expect([once.count, once.startNs(0)]).toEqual([count, RICH_START_NS]);
  expect([...step.value!.spans()].at(-1)).toEqual([...once.spans()].at(-1));
});
