// Ids, parents and times come back as they were, however wild: what encode-traces.ts writes, read-traces.ts reads.
import { describe, expect, test } from 'vitest';
import { BlockReader } from '../../src/block/block-reader.ts';
import * as C from '../../src/block/block-columns.ts';
import { SectionReader } from '../../src/block/read-section.ts';
import { readTraceColumns, type TraceColumns } from '../../src/block/read-traces.ts';
import type { OtlpSpan } from '../support/otlp-proto.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';
import { batchOf, blockOf, BLOCK_KINDS, decoded, idOf, NOON_NS, requestOf, span, spansOf } from './scanned.ts';

function columnsOf(spans: readonly OtlpSpan[]): TraceColumns {
  const block = new BlockReader(blockOf(batchOf(requestOf(spans))));
  const [group] = block.groups;
  return readTraceColumns(group!, new SectionReader(group!, C.SECTION_SPANS));
}

function checkRoundTrip(spans: readonly OtlpSpan[]): void {
  const batch = batchOf(requestOf(spans));
  for (const profile of BLOCK_KINDS) {
    const back = decoded(blockOf(batch, profile));
    expect(spansOf(back)).toEqual(spansOf(batch));
    // The times of rows as a search sees them, not only as OTLP prints them.
    const times = ({ start, duration, rowCount }: typeof batch): string[] =>
      Array.from({ length: rowCount }, (_, row) => `${start[row]} ${duration[row]}`).sort();
    expect(times(back)).toEqual(times(batch));
  }
}

const later = (ns: number): bigint => NOON_NS + BigInt(ns);

describe('parents are rows of their trace', () => {
  test.each<[string, OtlpSpan[], number[]]>([
    ['none', [span(1)], [-1]],
    ['the row before', [span(1), span(2, { parentSpanId: idOf(1, 8) })], [-1, 0]],
    ['itself', [span(1, { parentSpanId: idOf(1, 8) })], [0]],
    ['a later row', [span(1, { parentSpanId: idOf(2, 8) }), span(2)], [1, -1]],
    ['each other', [span(1, { parentSpanId: idOf(2, 8) }), span(2, { parentSpanId: idOf(1, 8) })], [1, 0]],
    ['not stored', [span(1, { parentSpanId: idOf(9, 8) }), span(2, { parentSpanId: idOf(8, 8) })], [-2, -2]],
    ['in another trace', [span(1), span(2, { trace: 2, parentSpanId: idOf(1, 8) })], [-1, -2]],
    [
      'the id of two spans: the first',
      [
        span(1),
        span(1, { startTimeUnixNano: later(1) }),
        span(2, { startTimeUnixNano: later(2), parentSpanId: idOf(1, 8) }),
      ],
      [-1, -1, 0],
    ],
    ['eight zero bytes', [span(1, { parentSpanId: new Uint8Array(8) })], [-1]],
  ])('%s', (_, spans, parents) => {
    expect(Array.from(columnsOf(spans).parents)).toEqual(parents);
    checkRoundTrip(spans);
  });

  test('a hundred children of one, and a chain of a hundred', () => {
    const star = Array.from({ length: 100 }, (_, i) =>
      span(i + 2, { parentSpanId: idOf(1, 8), startTimeUnixNano: later(i) }),
    );
    const chain = Array.from({ length: 100 }, (_, i) =>
      span(i + 1, { trace: 2, parentSpanId: idOf(i, 8), startTimeUnixNano: later(i) }),
    );
    checkRoundTrip([span(1), ...star, ...chain]);
  });

  test('ids that count up, or differ in their first bytes only', () => {
    const first = (n: number): Uint8Array => Uint8Array.of(n, 0, 0, 0, 0, 0, 0, 1);
    const spans = Array.from({ length: 200 }, (_, i) => ({
      ...span(1),
      spanId: first(i),
      parentSpanId: first(i === 0 ? 250 : i - 1),
    }));
    checkRoundTrip(spans);
  });
});

describe('times', () => {
  const end = (ns: bigint): OtlpSpan => ({ endTimeUnixNano: ns });
  test.each<[string, OtlpSpan[]]>([
    ['of one span', [span(1)]],
    ['all the same', [span(1), span(2), span(3)]],
    ['an end before the start', [span(1, end(NOON_NS - 1n)), span(2, { parentSpanId: idOf(1, 8) })]],
    ['no end beside usual ones', [span(1, end(0n)), span(2, end(later(1))), span(3, { trace: 2, ...end(later(7)) })]],
    ['the largest end beside usual ones', [span(1, end(2n ** 64n - 1n)), span(2, end(later(3)))]],
    [
      'ends at the edge of exact numbers',
      [span(1, end(NOON_NS + 2n ** 53n - 1n)), span(2, end(NOON_NS - 2n ** 53n + 1n)), span(3, end(later(1)))],
    ],
    [
      'ends an odd way beyond 2^52',
      [span(1, end(NOON_NS - 2n ** 52n - 1n)), span(2, end(NOON_NS + 2n ** 52n + 1n)), span(3)],
    ],
    [
      'the first and the last of a day',
      [
        span(1, { startTimeUnixNano: NOON_NS - 43_200_000_000_000n }),
        span(2, { startTimeUnixNano: NOON_NS + 43_199_999_999_999n }),
      ],
    ],
  ])('%s', (_, spans) => checkRoundTrip(spans));

  test('random clocks: children before parents, ends before starts, gaps of hours', () => {
    const random = createRandom(printedSeed('clocks'));
    for (let round = 0; round < 100; round++) {
      const count = 1 + Math.floor(random() * 40);
      const wild = random() < 0.5 ? 4e13 : 1e6;
      const spans = Array.from({ length: count }, (_, i) => {
        const startTimeUnixNano = later(Math.floor((random() - 0.5) * wild));
        const endTimeUnixNano =
          startTimeUnixNano + BigInt(Math.floor((random() - 0.2) * (random() < 0.1 ? 2 ** 53 : 1e9)));
        const parentSpanId = random() < 0.2 ? new Uint8Array(0) : idOf(Math.floor(random() * (count + 3)) + 1, 8);
        const trace = 1 + Math.floor(random() * 3);
        return span(random() < 0.1 ? 1 : i + 1, { trace, startTimeUnixNano, endTimeUnixNano, parentSpanId });
      });
      checkRoundTrip(spans);
    }
  });
});

test('the header tells first and last start, shortest and longest duration, rows and traces', () => {
  const { header } = new BlockReader(
    blockOf(
      batchOf(
        requestOf([
          span(1, { startTimeUnixNano: later(5), endTimeUnixNano: later(4) }),
          span(2, { startTimeUnixNano: later(9), endTimeUnixNano: later(99) }),
          span(3, { trace: 2, startTimeUnixNano: later(7), endTimeUnixNano: later(7) }),
        ]),
      ),
    ),
  );
  const noon = 43_200_000_000_000;
  expect(header).toMatchObject({
    day: 20_777,
    rowCount: 3,
    traceCount: 2,
    startMin: noon + 5,
    startMax: noon + 9,
    durationMin: -1,
    durationMax: 90,
  });
});
