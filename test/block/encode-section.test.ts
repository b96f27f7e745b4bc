// Templates, constants and value columns: what encode-section.ts writes, read-section.ts and the decoder read.
import { describe, expect, test } from 'vitest';
import * as C from '../../src/block/block-columns.ts';
import { BlockReader, TextArena } from '../../src/block/block-reader.ts';
import { appendTraces } from '../../src/block/decode-block.ts';
import { SectionReader } from '../../src/block/read-section.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import {
  encodeRequest,
  type OtlpAnyValue,
  type OtlpEvent,
  type OtlpKeyValue,
  type OtlpLink,
  type OtlpRequest,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomKeyValue } from '../support/random-request.ts';
import { attribute, batchOf, blockOf, BLOCK_KINDS, decoded, NOON_NS, requestOf, span, spansOf } from './scanned.ts';

function checkRoundTrip(spans: readonly OtlpSpan[]): BlockReader {
  const batch = batchOf(requestOf(spans));
  for (const profile of BLOCK_KINDS) expect(spansOf(decoded(blockOf(batch, profile)))).toEqual(spansOf(batch));
  return new BlockReader(blockOf(batch));
}

const link = (more: OtlpLink = {}): OtlpLink => ({
  traceId: new Uint8Array(16).fill(3),
  spanId: new Uint8Array(8).fill(4),
  ...more,
});
const event = (more: OtlpEvent = {}): OtlpEvent => ({ timeUnixNano: NOON_NS, name: 'e', ...more });

const VALUES: readonly [string, OtlpAnyValue | undefined, OtlpAnyValue | undefined][] = [
  ['absent values', undefined, undefined],
  ['empty values', {}, {}],
  ['strings', { stringValue: 'a' }, { stringValue: 'b' }],
  ['bools', { boolValue: true }, { boolValue: false }],
  ['ints', { intValue: 5n }, { intValue: -(2n ** 60n) }],
  ['ints below -2^52', { intValue: -(2n ** 52n) - 1n }, { intValue: 3n }],
  ['doubles', { doubleValue: 0.25 }, { doubleValue: -0 }],
  ['bytes', { bytesValue: Uint8Array.of(1) }, { bytesValue: new Uint8Array(0) }],
  ['lists', { arrayValue: { values: [{}] } }, { arrayValue: {} }],
];

describe.each(VALUES)('%s', (_, one, other) => {
  const spansWith = (...values: (OtlpAnyValue | undefined)[]): OtlpSpan[] =>
    values.map((value, i) => span(i + 1, { attributes: [attribute('k', value)] }));

  test('alone, all the same, and different', () => {
    checkRoundTrip(spansWith(one));
    checkRoundTrip(spansWith(one, one, one));
    checkRoundTrip(spansWith(one, other, one, other, other));
  });

  test('of events and links, too', () => {
    const attributes = [one, other, one].map((value) => attribute('k', value));
    const child = { attributes };
    checkRoundTrip([
      span(1, { events: [event(child), event()], links: [link(child)] }),
      span(2, { events: [event(child)], links: [link(), link(child)] }),
      span(3),
    ]);
  });
});

const rowsOf = ({ starts }: SectionReader, template: number): number => starts[template + 1]! - starts[template]!;

test('a value that every row of a template has is in the template, and has no column', () => {
  const of = (values: string[]): BlockReader =>
    checkRoundTrip(values.map((value, i) => span(i + 1, { attributes: [attribute('k', value)] })));
  expect(of(['a', 'a', 'a']).columns.filter(({ code }) => code === C.COLUMN_VALUES)).toEqual([]);
  expect(of(['a', 'a', 'b']).columns.filter(({ code }) => code === C.COLUMN_VALUES)).toMatchObject([
    { section: 0, count: 3 },
  ]);
});

test('constant in one template, different in another: the column holds only the other', () => {
  const block = checkRoundTrip([
    ...['a', 'a', 'a'].map((value, i) => span(i + 1, { attributes: [attribute('k', value)] })),
    ...['b', 'c'].map((value, i) => span(i + 9, { name: 'other', attributes: [attribute('k', value)] })),
  ]);
  const section = new SectionReader(block.groups[0]!, C.SECTION_SPANS);
  const { templates } = section;
  expect([0, 1].map((id) => [rowsOf(section, id), templates.isConstant(templates.starts[id]!)])).toEqual([
    [3, true],
    [2, false],
  ]);
  const arena = new TextArena();
  const column = section.values(templates.field(templates.starts[1]!), arena);
  expect(column).toMatchObject({ kind: 'texts', b: Uint32Array.of(1, 1) });
});

describe('the same key', () => {
  const twice = (x: string, y: string): OtlpKeyValue[] => [attribute('k', x), attribute('k', y)];
  test('twice in one template keeps each value at its place', () => {
    checkRoundTrip([span(1, { attributes: twice('a', 'b') }), span(2, { attributes: twice('c', 'd') })]);
    checkRoundTrip([span(1, { attributes: twice('a', 'b') }), span(2, { attributes: twice('a', 'd') })]);
    checkRoundTrip([span(1, { attributes: twice('a', 'a') }), span(2, { attributes: twice('b', 'b') })]);
  });

  test('of two types, in one span and in different ones', () => {
    const mixed = [attribute('k', '1'), attribute('k', { intValue: 1n })];
    checkRoundTrip([
      span(1, { attributes: mixed }),
      span(2, { attributes: mixed.toReversed() }),
      span(3, { attributes: [mixed[1]!] }),
    ]);
  });

  test('on a span, its event and its link', () => {
    const attributes = [attribute('k', 'v')];
    checkRoundTrip([span(1, { attributes, events: [event({ attributes })], links: [link({ attributes })] })]);
  });
});

test('what proto3 tells apart stays apart: status, parents, events and links given empty', () => {
  checkRoundTrip([
    span(1, { status: {} }),
    span(2, { status: { code: 0, message: '' } }),
    span(3, { status: { code: -1, message: 'm' }, kind: -2, flags: 0xffffffff }),
    span(4, { parentSpanId: new Uint8Array(8), events: [{}], links: [{}] }),
    span(5, {
      links: [
        { traceId: new Uint8Array(16), spanId: new Uint8Array(8) },
        { traceId: new Uint8Array(3), flags: 0xffffffff },
      ],
    }),
    span(6, { traceState: 'a=b', droppedAttributesCount: 0xffffffff, droppedEventsCount: 1, droppedLinksCount: 2 }),
    span(7, {
      events: [
        { timeUnixNano: 2n ** 64n - 1n },
        { timeUnixNano: NOON_NS - 2n ** 52n - 1n },
        event({ droppedAttributesCount: 7 }),
      ],
    }),
    span(8, { links: [link({ traceState: 'x', droppedAttributesCount: 5 })] }),
  ]);
});

test('hundreds of templates, the most frequent first', () => {
  const random = createRandom(printedSeed('templates'));
  const spans = Array.from({ length: 1500 }, (_, i) =>
    span(i + 1, {
      name: `op-${Math.floor(random() ** 3 * 300)}`,
      kind: Math.floor(random() * 3),
      attributes: Array.from({ length: Math.floor(random() * 3) }, () => randomKeyValue(random)),
      events: random() < 0.2 ? [event({ attributes: [randomKeyValue(random)] })] : [],
    }),
  );
  const section = new SectionReader(checkRoundTrip(spans).groups[0]!, C.SECTION_SPANS);
  const counts = Array.from({ length: section.templates.count }, (_, id) => rowsOf(section, id));
  expect(counts.length).toBeGreaterThan(300);
  expect(counts.toSorted((x, y) => y - x)).toEqual(counts);
});

test('chosen traces of a block are the same spans as those traces in the whole block', () => {
  const random = createRandom(printedSeed('some traces'));
  const spans = Array.from({ length: 200 }, (_, i) =>
    span(i + 1, {
      trace: 1 + (i % 20),
      name: `op-${i % 7}`,
      attributes: Array.from({ length: Math.floor(random() * 4) }, () => randomKeyValue(random)),
      events: random() < 0.3 ? [event({ attributes: [randomKeyValue(random)] })] : [],
      links: random() < 0.3 ? [link({ attributes: [randomKeyValue(random)] })] : [],
    }),
  );
  const batch = batchOf(requestOf(spans));
  const block = new BlockReader(blockOf(batch));
  const ids = block.traceIds();
  for (const traces of [[0], [19], [3, 4, 17], [5, 2], []]) {
    const some = new SpanBatch();
    appendTraces(some, block, traces);
    const wanted = new Set(traces.map((trace) => ids[16 * trace + 15]!));
    const expected = batchOf(requestOf(spans.filter(({ traceId }) => wanted.has(traceId![15]!))));
    expect(spansOf(some)).toEqual(spansOf(expected));
  }
});

test.each(BLOCK_KINDS)('a %s block is the same bytes whatever else its batch has interned', (profile) => {
  const spans = [span(2, { attributes: [attribute('k', 'v')], events: [event()] }), span(3)];
  const used = new SpanBatch();
  const scan = (request: OtlpRequest): unknown =>
    scanRequest(used, encodeRequest(request), { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n });
  scan(
    requestOf(
      [span(1, { name: 'unused', attributes: [attribute('other', 'v')], events: [event({ name: 'x' })] })],
      'gone',
    ),
  );
  used.clearRows();
  scan(requestOf(spans));
  expect(Buffer.compare(blockOf(used, profile), blockOf(batchOf(requestOf(spans)), profile))).toBe(0);
});
