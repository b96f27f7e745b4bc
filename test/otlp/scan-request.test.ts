// The scan accepts what OTLP says, rejects spans by name, and is atomic: whatever is malformed leaves the batch as it was.
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { jsonToRequest } from '../../src/otlp/json-to-request.ts';
import { RequestScan, scanRequest } from '../../src/otlp/scan-request.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import type { RejectReason } from '../../src/trace/store.ts';
import {
  decodeRequest,
  encodeRequest,
  type OtlpAnyValue,
  type OtlpKeyValue,
  type OtlpRequest,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';
import { spanSet } from '../support/span-set.ts';

const NOW_NS = 1_790_000_000_000_000_000n;
const DAY_NS = 86_400_000_000_000n;
const BOUNDS = { startMinNs: NOW_NS - 7n * DAY_NS, startMaxNs: NOW_NS + 2n * DAY_NS };

const goodSpan: OtlpSpan = {
  traceId: Uint8Array.from({ length: 16 }, (_, i) => i + 1),
  spanId: Uint8Array.from({ length: 8 }, (_, i) => i + 1),
  name: 'GET /',
  kind: 2,
  startTimeUnixNano: NOW_NS,
  endTimeUnixNano: NOW_NS + 5_000_000n,
  attributes: [
    { key: 'http.method', value: { stringValue: 'GET' } },
    { key: 'n', value: { intValue: -5n } },
    { key: 'list', value: { arrayValue: { values: [{ boolValue: true }, { doubleValue: 1.5 }] } } },
  ],
  events: [{ timeUnixNano: NOW_NS + 1n, name: 'e', attributes: [{ key: 'k', value: { stringValue: 'v' } }] }],
  links: [{ traceId: new Uint8Array(16).fill(9), spanId: new Uint8Array(8).fill(9), attributes: [] }],
  status: { code: 2, message: 'no' },
};

/** An attribute whose value has `levels` levels, lists and maps in turn. */
function deepAttribute(levels: number): OtlpKeyValue {
  let value: OtlpAnyValue = { stringValue: 'deep' };
  for (let level = 1; level < levels; level++) {
    value = level % 2 === 0 ? { arrayValue: { values: [value] } } : { kvlistValue: { values: [{ key: 'k', value }] } };
  }
  return { key: 'deep', value };
}

function request(...spans: OtlpSpan[]): OtlpRequest {
  return {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeSpans: [{ scope: { name: 's', version: '1' }, spans }],
      },
    ],
  };
}

function stored(batch: SpanBatch): Uint8Array[] {
  return batch.rowCount === 0
    ? []
    : [
        writeTraces(
          batch,
          Uint32Array.from({ length: batch.rowCount }, (_, row) => row),
        ),
      ];
}

describe('a malformed request', () => {
  const whole = encodeRequest(request(goodSpan, { ...goodSpan, spanId: new Uint8Array(8).fill(2) }));

  test('truncated at any length is refused or, cut at a field boundary of the request, is what is left', () => {
    let refused = 0;
    for (let length = 0; length < whole.length; length++) {
      const batch = new SpanBatch();
      scanRequest(batch, encodeRequest(request(goodSpan)), BOUNDS);
      const before = spanSet(stored(batch));
      try {
        scanRequest(batch, whole.subarray(0, length), BOUNDS);
        expect(length).toBe(0);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
        expect((error as Error).message).toMatch(/^malformed protobuf at byte \d+: /);
        refused++;
      }
      expect(spanSet(stored(batch))).toEqual(before);
    }
    expect(refused).toBe(whole.length - 1);
  });

  test('with any byte flipped never stores half of it and never throws anything but INVALID_REQUEST', () => {
    const random = createRandom(printedSeed('scan flips'));
    for (let round = 0; round < 3000; round++) {
      const damaged = whole.slice();
      damaged[Math.floor(random() * damaged.length)]! ^= 1 << Math.floor(random() * 8);
      const batch = new SpanBatch();
      let rejected = 0;
      try {
        for (const count of scanRequest(batch, damaged, BOUNDS).rejected.values()) rejected += count;
        expect(batch.rowCount + rejected).toBeLessThanOrEqual(2);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
        expect(batch.rowCount).toBe(0);
      }
    }
  });

  const raw = (write: (out: ByteWriter) => void): Uint8Array => {
    const out = new ByteWriter();
    write(out);
    return out.take();
  };
  const inSpan = (write: (out: ByteWriter) => void): Uint8Array =>
    raw((out) => out.message(1, () => out.message(2, () => out.message(2, () => write(out)))));

  test.each<[string, Uint8Array, RegExp]>([
    ['a group', raw((out) => out.tag(1, 3)), /wire type 3/],
    ['a reserved wire type', raw((out) => out.tag(1, 7)), /wire type 7/],
    ['field number 0', raw((out) => out.varint(2)), /field number 0/],
    [
      'resource_spans as a varint',
      raw((out) => (out.tag(1, 0), out.varint(5))),
      /resource_spans has wire type 0, expected 2/,
    ],
    ['a trace id as fixed64', inSpan((out) => (out.tag(1, 1), out.u64(1, 1))), /Span ids has wire type 1, expected 2/],
    ['a name as a varint', inSpan((out) => (out.tag(5, 0), out.varint(1))), /Span.name has wire type 0/],
    [
      'a start time as a varint',
      inSpan((out) => (out.tag(7, 0), out.varint(1))),
      /start_time_unix_nano has wire type 0/,
    ],
    ['a kind as bytes', inSpan((out) => out.stringField(6, 'server')), /Span.kind has wire type 2/],
    ['an endless varint', inSpan((out) => (out.tag(6, 0), out.raw(new Uint8Array(11).fill(0xff)))), /varint/],
    [
      'a malformed event of a span that is rejected anyway',
      inSpan((out) => out.message(11, () => (out.tag(1, 0), out.varint(1)))),
      /Event.time_unix_nano has wire type 0/,
    ],
  ])('with %s is refused with the place', (_, body, message) => {
    const batch = new SpanBatch();
    expect(() => scanRequest(batch, body, BOUNDS)).toThrow(message);
    expect(batch.rowCount).toBe(0);
    expect(batch.arenaBytes).toBe(0);
  });
});

describe('a span is rejected by name, its neighbours are stored', () => {
  const attributes = Array.from({ length: 1_025 }, (_, i) => ({
    key: `k${i}`,
    value: { intValue: BigInt(i) },
  }));
  test.each<[string, Partial<OtlpSpan>, RejectReason]>([
    ['a trace id of 7 bytes', { traceId: new Uint8Array(7).fill(1) }, 'invalid_trace_id'],
    ['no trace id', { traceId: new Uint8Array(0) }, 'invalid_trace_id'],
    ['a trace id of zeros', { traceId: new Uint8Array(16) }, 'invalid_trace_id'],
    ['a span id of 9 bytes', { spanId: new Uint8Array(9).fill(1) }, 'invalid_span_id'],
    ['a span id of zeros', { spanId: new Uint8Array(8) }, 'invalid_span_id'],
    ['a parent id of 3 bytes', { parentSpanId: new Uint8Array(3).fill(1) }, 'invalid_parent_span_id'],
    ['a start 1 ns before retention', { startTimeUnixNano: BOUNDS.startMinNs - 1n }, 'too_small_timestamp'],
    ['no start', { startTimeUnixNano: 0n }, 'too_small_timestamp'],
    ['a start 1 ns beyond the future', { startTimeUnixNano: BOUNDS.startMaxNs + 1n }, 'too_big_timestamp'],
    ['the largest start', { startTimeUnixNano: 2n ** 64n - 1n }, 'too_big_timestamp'],
    ['too many attributes', { attributes }, 'too_many_attributes'],
    ['a value nested too deep', { attributes: [deepAttribute(limits.anyValueDepthMax + 1)] }, 'too_deep'],
    ['a value nested far too deep', { attributes: [deepAttribute(500)] }, 'too_deep'],
    ['a deep value in an event', { events: [{ attributes: [deepAttribute(70)] }, {}] }, 'too_deep'],
    ['a deep value in a link', { links: [{ attributes: [deepAttribute(70)] }] }, 'too_deep'],
    [
      'a value beyond the span limit',
      { attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(4 << 20) } }] },
      'too_large',
    ],
  ])('%s', (_, change, reason) => {
    const batch = new SpanBatch();
    const good = request(goodSpan, { ...goodSpan, spanId: new Uint8Array(8).fill(7) });
    const mixed = request(goodSpan, { ...goodSpan, ...change }, { ...goodSpan, spanId: new Uint8Array(8).fill(7) });
    expect(scanRequest(batch, encodeRequest(mixed), BOUNDS)).toEqual({ stored: 2, rejected: new Map([[reason, 1]]) });
    expect(spanSet(stored(batch))).toEqual(spanSet([encodeRequest(good)]));
  });

  test.each<[string, Partial<OtlpSpan>]>([
    ['exactly the first allowed start', { startTimeUnixNano: BOUNDS.startMinNs }],
    ['exactly the last allowed start', { startTimeUnixNano: BOUNDS.startMaxNs }],
    ['as many attributes as allowed', { attributes: attributes.slice(1) }],
    ['a value as deep as allowed', { attributes: [deepAttribute(limits.anyValueDepthMax)] }],
    ['an end of 0', { endTimeUnixNano: 0n }],
    ['the largest end', { endTimeUnixNano: 2n ** 64n - 1n }],
    ['an event in 1970', { events: [{ timeUnixNano: 1n, name: '' }] }],
    [
      'link ids of odd lengths',
      {
        links: [
          { traceId: new Uint8Array(3).fill(1), spanId: new Uint8Array(0) },
          { spanId: new Uint8Array(9).fill(2) },
        ],
      },
    ],
    ['link ids of zeros', { links: [{ traceId: new Uint8Array(16), spanId: new Uint8Array(8) }] }],
    ['a parent of zeros', { parentSpanId: new Uint8Array(8) }],
    ['an unknown kind and status', { kind: -7, status: { code: 99 } }],
  ])('stored as it came: %s', (_, change) => {
    const batch = new SpanBatch();
    const body = encodeRequest(request({ ...goodSpan, ...change }));
    expect(scanRequest(batch, body, BOUNDS).stored).toBe(1);
    expect(spanSet(stored(batch))).toEqual(spanSet([body]));
  });
});

test.each<[RejectReason, OtlpKeyValue]>([
  ['too_deep', deepAttribute(limits.anyValueDepthMax + 1)],
  ['too_large', { key: 'k', value: { stringValue: 'x'.repeat(limits.descriptorBytesMax) } }],
])('a resource or scope that is %s costs its own spans', (reason, attribute) => {
  const attributes = [attribute];
  const good = { resource: {}, scopeSpans: [{ scope: { name: 's' }, spans: [goodSpan] }] };
  const spans = [goodSpan, { ...goodSpan, spanId: new Uint8Array(8).fill(3) }];
  for (const bad of [
    { resource: { attributes }, scopeSpans: [{ spans: [spans[0]!] }, { spans: [spans[1]!] }] },
    { resource: {}, scopeSpans: [{ scope: { attributes }, spans }] },
  ]) {
    const batch = new SpanBatch();
    for (let round = 0; round < 2; round++) {
      const body = encodeRequest({ resourceSpans: [bad, good, bad] });
      expect(scanRequest(batch, body, BOUNDS)).toEqual({ stored: 1, rejected: new Map([[reason, 4]]) });
    }
    expect(spanSet(stored(batch))).toEqual(spanSet([encodeRequest({ resourceSpans: [good, good] })]));
  }
});

describe('a field that is not known and not stored is named with its place, the first one:', () => {
  const spanBytes = encodeRequest(request(goodSpan)); // field 1: ResourceSpans
  const withUnknown = (write: (out: ByteWriter) => void): Uint8Array => {
    const out = new ByteWriter();
    write(out);
    return out.take();
  };
  test.each<[string, (out: ByteWriter) => void, string | undefined]>([
    ['nothing unknown', (out) => out.raw(spanBytes), undefined],
    ['an empty request', () => undefined, undefined],
    ['at the top', (out) => (out.raw(spanBytes), out.stringField(7, 'x')), '7 in the request'],
    [
      'old spans of OTLP 0.14',
      (out) => (out.raw(spanBytes), out.message(1, () => out.stringField(1000, 'x'))),
      '1000 in resource_spans[1]',
    ],
    [
      'in a scope',
      (out) => out.message(1, () => (out.message(2, () => undefined), out.message(2, () => out.stringField(4, 'x')))),
      '4 in resource_spans[0].scope_spans[1]',
    ],
    [
      'the first of many',
      (out) => (out.stringField(9, 'x'), out.stringField(8, 'x'), out.raw(spanBytes)),
      '9 in the request',
    ],
  ])('%s', (_what, write, unknownField) => {
    const batch = new SpanBatch();
    for (let round = 0; round < 2; round++)
      expect(scanRequest(batch, withUnknown(write), BOUNDS).unknownField).toBe(unknownField);
  });

  test('JSON too, under the name it has there, whatever is beside it stored', () => {
    const batch = new SpanBatch();
    const body = jsonToRequest(Buffer.from(JSON.stringify({ resourceLogs: [], resourceSpans: [{ scopeSpans: [] }] })));
    expect(scanRequest(batch, body, BOUNDS).unknownField).toBe('"resourceLogs" in the request');
    expect(scanRequest(batch, encodeRequest(request(goodSpan)), BOUNDS)).toEqual({ stored: 1, rejected: new Map() });
  });
});

test('the bounds of a span are the caller’s', () => {
  const batch = new SpanBatch();
  const attributes = Array.from({ length: 3_000 }, (_, i) => ({ key: `k${i}`, value: { intValue: 1n } }));
  const events = [{ attributes }];
  const text = [{ key: 'k', value: { stringValue: 'x'.repeat(5 << 20) } }];
  const body = encodeRequest(request({ ...goodSpan, attributes, events }, { ...goodSpan, attributes: text }));
  const wide = { ...BOUNDS, spanAttributesMax: 3_000, spanBytesMax: 8 << 20 };
  const narrow = { ...BOUNDS, spanAttributesMax: 2_999, spanBytesMax: 1 << 20 };
  expect(scanRequest(batch, body, wide).stored).toBe(2);
  expect(scanRequest(batch, body, narrow)).toEqual({
    stored: 0,
    rejected: new Map([
      ['too_many_attributes', 1],
      ['too_large', 1],
    ]),
  });
  expect(spanSet(stored(batch))).toEqual(spanSet([body]));
});

test('unknown fields come back as they were', () => {
  const out = new ByteWriter();
  out.raw(encodeRequest(request({ ...goodSpan, events: [], links: [], attributes: [] })));
  const known = out.take();
  const extended = new ByteWriter();
  extended.message(1, () =>
    extended.message(2, () =>
      extended.message(2, () => {
        extended.bytesField(1, goodSpan.traceId!);
        extended.bytesField(2, goodSpan.spanId!);
        extended.tag(7, 1);
        extended.u64(Number(NOW_NS & 0xffffffffn), Number(NOW_NS >> 32n));
        extended.stringField(99, 'from the future');
      }),
    ),
  );
  const batch = new SpanBatch();
  scanRequest(batch, known, BOUNDS);
  scanRequest(batch, extended.take(), BOUNDS);
  expect(Buffer.from(writeTraces(batch, Uint32Array.of(1))).toString('latin1')).toContain('from the future');
});

test('random requests come back span by span, whatever was scanned into the batch before', () => {
  const random = createRandom(printedSeed('scan'));
  const batch = new SpanBatch();
  for (let round = 0; round < 200; round++) {
    const body = encodeRequest(randomRequest(random, NOW_NS));
    batch.clearRows();
    if (round % 50 === 49) batch.clear();
    const { rejected } = scanRequest(batch, body, BOUNDS);
    expect(rejected.size).toBe(0);
    expect(spanSet(stored(batch))).toEqual(spanSet([body]));
  }
});

test('decodeRequest of the written trace is the request itself, attribute order and duplicates included', () => {
  const body = request({
    ...goodSpan,
    attributes: [{ key: 'b', value: { intValue: 1n } }, { key: 'a' }, { key: 'b', value: {} }],
  });
  const batch = new SpanBatch();
  scanRequest(batch, encodeRequest(body), BOUNDS);
  expect(decodeRequest(stored(batch)[0]!)).toEqual(decodeRequest(encodeRequest(body)));
});

test('two requests are never scanned into one batch at a time', () => {
  const batch = new SpanBatch();
  const body = encodeRequest(request(goodSpan));
  const first = new RequestScan(batch, body, BOUNDS);
  const second = new RequestScan(batch, body, BOUNDS);
  expect(() => first.step(1)).toThrow('BUG: two requests at a time are scanned into one batch');
  expect(second.step(Infinity)).toEqual({ stored: 1, rejected: new Map() });
});
