// Canonical OTLP from columns. That every field comes back is shown in scan-request.test.ts; here is what the bytes promise.
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { WireReader } from '../../src/bytes/wire-reader.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { SpanWriterOtlp, writeTraces } from '../../src/otlp/write-spans.ts';
import { parseDescriptor } from '../../src/trace/descriptor.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { decodeTraces, encodeRequest, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';

const ALL_TIME = { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n };

function span(id: number, more: OtlpSpan = {}): OtlpSpan {
  return {
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(id),
    startTimeUnixNano: 5n,
    endTimeUnixNano: 6n,
    ...more,
  };
}

function scanned(...bodies: readonly Uint8Array[]): SpanBatch {
  const batch = new SpanBatch();
  for (const body of bodies) scanRequest(batch, body, ALL_TIME);
  return batch;
}

const allRows = (batch: SpanBatch): Uint32Array => Uint32Array.from({ length: batch.rowCount }, (_, row) => row);

function withOneSpan(one: OtlpSpan, scope = 's'): OtlpRequest {
  return { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: scope }, spans: [one] }] }] };
}

test('the bytes are those protobufjs writes: number order, minimal lengths, no defaults', () => {
  const random = createRandom(printedSeed('write spans'));
  for (let round = 0; round < 200; round++) {
    const body = encodeRequest(randomRequest(random, 1_790_000_000_000_000_000n));
    const batch = scanned(body);
    // One span a message, so that grouping changes nothing.
    for (let row = 0; row < batch.rowCount; row++) {
      const written = writeTraces(batch, Uint32Array.of(row));
      expect(Buffer.compare(written, encodeRequest(decodeTraces(written)))).toBe(0);
    }
  }
});

test('groups are in order of first appearance, rows in the order given', () => {
  const batch = scanned(
    encodeRequest(withOneSpan(span(1), 'b')),
    encodeRequest(withOneSpan(span(2), 'a')),
    encodeRequest(withOneSpan(span(3), 'b')),
  );
  const groups = (rows: Uint32Array): unknown =>
    decodeTraces(writeTraces(batch, rows)).resourceSpans?.map(({ scopeSpans }) =>
      scopeSpans?.map(({ scope, spans }) => [scope?.name, ...(spans ?? []).map(({ spanId }) => spanId?.[0])]),
    );
  expect(groups(allRows(batch))).toEqual([
    [
      ['b', 1, 3],
      ['a', 2],
    ],
  ]);
  expect(groups(Uint32Array.of(1, 2, 0))).toEqual([
    [
      ['a', 2],
      ['b', 3, 1],
    ],
  ]);
  expect(writeTraces(batch, new Uint32Array(0)).length).toBe(0);
});

test('a resource that was sent empty is not one that was not sent', () => {
  const [empty, absent] = [
    { resource: {}, scopeSpans: [{ spans: [span(1)] }] },
    { scopeSpans: [{ spans: [span(2)] }] },
  ];
  const batch = scanned(encodeRequest({ resourceSpans: [empty, absent] }));
  const back = decodeTraces(writeTraces(batch, allRows(batch))).resourceSpans!;
  expect(back.map(({ resource }) => resource)).toEqual([{}, undefined]);
});

describe('times beyond 53 bits', () => {
  test.each<[string, OtlpSpan]>([
    ['a start and an end at their limits', { startTimeUnixNano: 2n ** 64n - 1n, endTimeUnixNano: 2n ** 64n - 1n }],
    ['an end far behind', { startTimeUnixNano: 1n, endTimeUnixNano: 2n ** 64n - 1n }],
    ['an end far before', { startTimeUnixNano: 2n ** 64n - 1n, endTimeUnixNano: 1n }],
    ['an odd way back', { startTimeUnixNano: 2n ** 53n, endTimeUnixNano: 1n }],
    [
      'events around',
      {
        startTimeUnixNano: 2n ** 60n,
        events: [{ timeUnixNano: 1n }, { timeUnixNano: 2n ** 60n - 1n }, { timeUnixNano: 2n ** 64n - 1n }],
      },
    ],
    [
      'a carry into the high word',
      { startTimeUnixNano: 2n ** 32n - 1n, endTimeUnixNano: 2n ** 32n, events: [{ timeUnixNano: 2n ** 32n }] },
    ],
  ])('%s', (_, more) => {
    const body = encodeRequest(withOneSpan(span(1, more)));
    expect(decodeTraces(writeTraces(scanned(body), Uint32Array.of(0)))).toEqual(decodeTraces(body));
  });
});

test('of a field sent twice the last is written', () => {
  const out = new ByteWriter();
  out.message(1, () =>
    out.message(2, () =>
      out.message(2, () => {
        out.bytesField(1, new Uint8Array(16).fill(1));
        out.bytesField(2, new Uint8Array(8).fill(2));
        out.stringField(3, 'first=1');
        out.stringField(3, 'second=2');
        for (const count of [4, 5]) {
          out.tag(10, 0);
          out.varint(count);
        }
      }),
    ),
  );
  const [found] = decodeTraces(writeTraces(scanned(out.take()), Uint32Array.of(0))).resourceSpans![0]!.scopeSpans![0]!
    .spans!;
  expect(found).toMatchObject({ traceState: 'second=2', droppedAttributesCount: 5 });
});

test('a writer appends one span after the other', () => {
  const batch = scanned(encodeRequest(withOneSpan(span(1))), encodeRequest(withOneSpan(span(2))));
  const writer = new SpanWriterOtlp(batch);
  writer.writeSpan(0);
  const first = writer.out.length;
  writer.writeSpan(1);
  const reader = new WireReader(writer.out.view(), first, writer.out.length);
  reader.next();
  reader.next();
  expect([reader.field, reader.value()[0]]).toEqual([2, 2]);
});

describe('a descriptor', () => {
  test('is presence, schema URL and message', () => {
    const url = 'https://example.org/'.repeat(20);
    const out = new ByteWriter();
    out.u8(1);
    out.varint(url.length);
    out.raw(Buffer.from(url));
    out.raw(Uint8Array.of(8, 1));
    const { isPresent, schemaUrl, message } = parseDescriptor(out.take());
    expect([isPresent, Buffer.from(schemaUrl).toString(), Array.from(message)]).toEqual([true, url, [8, 1]]);
    expect(parseDescriptor(Uint8Array.of(0, 0))).toEqual({
      isPresent: false,
      schemaUrl: new Uint8Array(0),
      message: new Uint8Array(0),
    });
  });

  test.each([[[]], [[1]], [[1, 0x80]], [[1, 5, 1]], [[1, 0x80, 0x80, 0x80, 0x80, 0x80, 1]]])(
    '%j is CORRUPTION',
    (bytes) => {
      expect(() => parseDescriptor(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
    },
  );
});
