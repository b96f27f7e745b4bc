// An attribute means the same however its bytes are spelled: the plain spelling has a way of its own through the scan, every
// other takes the long one, and protobufjs says what both must find.
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import {
  decodeTraces,
  encodeRequest,
  spansOf,
  type OtlpEvent,
  type OtlpLink,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomBytes, type Random } from '../support/random-request.ts';

const ALL_TIME = { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n };

/** A request of one span with these KeyValue bodies, as attributes of the span (field 9), an event or a link. */
function bodyWith(attributes: readonly Uint8Array[], at: 'span' | 'event' | 'link' = 'span'): Uint8Array {
  const out = new ByteWriter();
  const write = (field: number): void => attributes.forEach((body) => out.bytesField(field, body));
  out.message(1, () =>
    out.message(2, () =>
      out.message(2, () => {
        out.bytesField(1, new Uint8Array(16).fill(1));
        out.bytesField(2, new Uint8Array(8).fill(2));
        if (at === 'span') write(9);
        else out.message(at === 'event' ? 11 : 13, () => write(at === 'event' ? 3 : 4));
      }),
    ),
  );
  return out.take();
}

function scannedSpan(body: Uint8Array): OtlpSpan {
  const batch = new SpanBatch();
  expect(scanRequest(batch, body, ALL_TIME)).toEqual({ stored: 1, rejected: new Map() });
  return spansOf(decodeTraces(writeTraces(batch, Uint32Array.of(0))))[0]!;
}

/** A varint with up to two bytes more than it needs. */
function spelledVarint(out: ByteWriter, random: Random, value: number): void {
  const extra = random() < 0.8 ? 0 : Math.floor(random() * 3);
  const at = out.length;
  out.varint(value);
  if (extra === 0) return;
  out.bytes[out.length - 1]! |= 0x80;
  for (let i = 1; i < extra; i++) out.u8(0x80);
  out.u8(0);
  expect(out.length).toBeGreaterThan(at);
}

function spelledBytes(out: ByteWriter, random: Random, field: number, value: Uint8Array): void {
  spelledVarint(out, random, field * 8 + 2);
  spelledVarint(out, random, value.length);
  out.raw(value);
}

const SIZES = [0, 1, 2, 5, 126, 127, 128, 129, 300, 16_383, 16_384];

function spelledValue(random: Random): Uint8Array {
  const out = new ByteWriter();
  const kind = Math.floor(random() * 6);
  if (kind < 2) {
    const text = Buffer.from('x'.repeat(SIZES[Math.floor(random() * SIZES.length)]!));
    spelledBytes(out, random, kind === 0 ? 1 : 7, text);
  } else if (kind < 4) {
    spelledVarint(out, random, (kind === 2 ? 2 : 3) * 8);
    spelledVarint(out, random, Math.floor(random() * 300));
  } else if (kind === 4) {
    spelledVarint(out, random, 4 * 8 + 1);
    out.f64(random());
  }
  return out.take();
}

function spelledKeyValue(random: Random): Uint8Array {
  const out = new ByteWriter();
  const key = Buffer.from('k'.repeat(Math.floor(random() * 3) * (random() < 0.1 ? 70 : 2)));
  const writes = [
    (): void => spelledBytes(out, random, 1, key),
    (): void => spelledBytes(out, random, 2, spelledValue(random)),
  ];
  if (random() < 0.1) writes.reverse();
  if (random() < 0.1) writes.unshift(() => spelledBytes(out, random, 1, Buffer.from('earlier')));
  if (random() < 0.05) writes.pop();
  for (const write of writes) write();
  return out.take();
}

test.each(['span', 'event', 'link'] as const)('attributes of a %s in every spelling', (at) => {
  const random = createRandom(printedSeed(`spelled attributes of a ${at}`));
  for (let round = 0; round < 1000; round++) {
    const body = bodyWith(
      Array.from({ length: Math.floor(random() * 4) }, () => spelledKeyValue(random)),
      at,
    );
    expect(scannedSpan(body)).toEqual(spansOf(decodeTraces(body))[0]);
  }
});

test('of a value with two members the last on the wire counts', () => {
  const twice = (write: (out: ByteWriter) => void): Uint8Array => {
    const out = new ByteWriter();
    out.stringField(1, 'k');
    out.message(2, () => write(out));
    return out.take();
  };
  const body = bodyWith([
    twice((out) => (out.stringField(1, 'a'), out.tag(3, 0), out.varint(5))),
    twice((out) => (out.tag(3, 0), out.varint(5), out.stringField(1, 'a'))),
  ]);
  expect(scannedSpan(body).attributes?.map(({ value }) => value)).toEqual([{ intValue: 5n }, { stringValue: 'a' }]);
});

test('random bytes as an attribute are found as protobufjs finds them, or refused', () => {
  const random = createRandom(printedSeed('random attributes'));
  let scanned = 0;
  for (let round = 0; round < 20_000; round++) {
    // Close to the plain spelling, so that its every check is met.
    const value = randomBytes(random, Math.floor(random() * 5)).map((byte, i) =>
      i === 0 ? [0x0a, 0x10, 0x18][byte % 3]! : byte % 8,
    );
    const body = bodyWith([Uint8Array.from([0x0a, 1, 0x6b, 0x12, Math.floor(random() * 6), ...value])]);
    const batch = new SpanBatch();
    try {
      scanRequest(batch, body, ALL_TIME);
      scanned++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
      expect(batch.rowCount).toBe(0);
      continue;
    }
    const written = decodeTraces(writeTraces(batch, Uint32Array.of(0)));
    expect(spansOf(written)[0]?.attributes).toEqual(spansOf(decodeTraces(body))[0]?.attributes);
  }
  expect(scanned).toBeGreaterThan(1000);
});

describe('more attributes than allowed reject the span by name, not its neighbours:', () => {
  const many = Array.from({ length: 1_124 }, (_, i) => ({
    key: `k${i}`,
    value: { intValue: 1n },
  }));
  const span = (id: number, more: OtlpSpan): OtlpSpan => ({
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(id),
    ...more,
  });
  const event: OtlpEvent = { attributes: many };
  const link: OtlpLink = { attributes: many };
  test.each<[string, OtlpSpan]>([
    ['of the span', { attributes: many }],
    ['of an event', { events: [{}, event, {}] }],
    ['of a link', { links: [{}, link, {}] }],
  ])('%s', (_, more) => {
    const batch = new SpanBatch();
    const spans = [span(1, { name: 'before' }), span(2, more), span(3, { name: 'behind', events: [{ name: 'e' }] })];
    const body = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    expect(scanRequest(batch, body, ALL_TIME)).toEqual({ stored: 2, rejected: new Map([['too_many_attributes', 1]]) });
    const stored = spansOf(decodeTraces(writeTraces(batch, Uint32Array.of(0, 1))));
    expect(stored.map(({ name, events }) => [name, events?.length])).toEqual([
      ['before', undefined],
      ['behind', 1],
    ]);
  });
});

test('more keys than the scan remembers at once keep their own names', () => {
  const batch = new SpanBatch();
  const attributes = Array.from({ length: 20_000 }, (_, i) => ({ key: `key-${i}`, value: { intValue: BigInt(i) } }));
  const spans = Array.from({ length: 40 }, (_, i) => ({
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(i + 1),
    attributes: attributes.slice(i * 500, i * 500 + 500),
  }));
  scanRequest(batch, encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), ALL_TIME);
  const rows = Uint32Array.from({ length: 40 }, (_, row) => row);
  expect(spansOf(decodeTraces(writeTraces(batch, rows))).flatMap((span) => span.attributes)).toEqual(attributes);
});
