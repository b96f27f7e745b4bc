// protobufjs writes, the cursor reads; and whatever is malformed is INVALID_REQUEST with the byte it began at.
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT, WireReader } from '../../src/bytes/wire-reader.ts';
import { createRandom, printedSeed, randomBytes } from '../support/random-request.ts';

test('every wire type, with the largest field number', () => {
  const bytes = protobuf.Writer.create()
    .uint32((1 << 3) | WIRE_VARINT)
    .uint64(300)
    .uint32((2 << 3) | WIRE_FIXED64)
    .fixed64(7)
    .uint32((3 << 3) | WIRE_BYTES)
    .string('abc')
    .uint32(((2 ** 29 - 1) << 3) | WIRE_FIXED32)
    .fixed32(0xfffffffe)
    .finish();
  const reader = new WireReader(bytes);
  const seen: unknown[] = [];
  while (reader.next()) {
    const { field, wire, lo, hi } = reader;
    seen.push(wire === WIRE_BYTES ? [field, wire, Buffer.from(reader.value()).toString()] : [field, wire, lo, hi]);
  }
  expect(seen).toEqual([
    [1, WIRE_VARINT, 300, 0],
    [2, WIRE_FIXED64, 7, 0],
    [3, WIRE_BYTES, 'abc'],
    [2 ** 29 - 1, WIRE_FIXED32, 0xfffffffe, 0],
  ]);
  expect(reader.pos).toBe(bytes.length);
});

test.each([
  0n,
  1n,
  127n,
  128n,
  2n ** 28n - 1n,
  2n ** 28n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 35n,
  2n ** 63n,
  2n ** 64n - 1n,
])('the 64-bit number %s, as a varint and fixed', (value) => {
  const varint: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    varint.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    if (rest <= 127n) break;
  }
  const fixed = new Uint8Array(8);
  new DataView(fixed.buffer).setBigUint64(0, value, true);
  const reader = new WireReader(Uint8Array.from([0x08, ...varint, 0x09, ...fixed]));
  for (let field = 0; field < 2; field++) {
    expect(reader.next()).toBe(true);
    expect([reader.uint64(), reader.int64()]).toEqual([value, BigInt.asIntN(64, value)]);
  }
  expect(reader.next()).toBe(false);
});

test('a nested message is read by the same buffer and another range', () => {
  const inner = Uint8Array.of(0x08, 5);
  const bytes = Uint8Array.from([0x12, inner.length, ...inner, 0x18, 1]);
  const reader = new WireReader(bytes);
  reader.next();
  const nested = new WireReader(bytes).reset(reader.valueStart, reader.valueEnd);
  expect([nested.next(), nested.field, nested.lo, nested.next()]).toEqual([true, 1, 5, false]);
  expect([reader.next(), reader.fieldStart]).toEqual([true, 4]);
});

describe('malformed, with the place:', () => {
  test.each<[string, number[], RegExp]>([
    ['field number 0', [0x00, 1], /byte 0: field number 0/],
    ['a tag beyond 32 bits', [0xf8, 0xff, 0xff, 0xff, 0x7f, 0], /byte 0: field number out of range/],
    ['a tag cut', [0x80], /truncated varint/],
    ['a varint cut', [0x08, 0x80], /truncated varint/],
    ['a varint of 11 bytes', [0x08, ...Array.from({ length: 10 }, () => 0x80), 1], /longer than 10 bytes/],
    ['fixed64 cut', [0x09, 1, 2, 3, 4, 5, 6, 7], /byte 0: truncated fixed64/],
    ['fixed32 cut', [0x0d, 1, 2, 3], /byte 0: truncated fixed32/],
    ['bytes cut', [0x08, 1, 0x12, 2, 1], /byte 2: field 2 is longer than its message/],
    ['a length beyond 32 bits', [0x12, 0x80, 0x80, 0x80, 0x80, 0x10], /byte 0: field 2 is longer/],
    ['a length without its bytes', [0x12], /truncated varint/],
    ['a group', [0x0b], /byte 0: wire type 3/],
    ['the end of a group', [0x0c], /byte 0: wire type 4/],
    ['wire type 6', [0x0e], /byte 0: wire type 6/],
    ['wire type 7', [0x0f], /byte 0: wire type 7/],
  ])('%s', (_, bytes, message) => {
    // What lies behind the range must not save it.
    const reader = new WireReader(Uint8Array.from([...bytes, 1, 1, 1, 1, 1, 1, 1, 1, 1]), 0, bytes.length);
    const readAll = (): void => {
      while (reader.next());
    };
    expect(readAll).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(() => {
      reader.reset(0, bytes.length);
      readAll();
    }).toThrow(message);
  });

  test('another wire type than expected', () => {
    const reader = new WireReader(Uint8Array.of(0x08, 1));
    reader.next();
    reader.expect(WIRE_VARINT, 'Span.kind');
    expect(() => reader.expect(WIRE_BYTES, 'Span.name')).toThrow('byte 0: Span.name has wire type 0, expected 2');
  });
});

test('random bytes are read to their end or refused, and never leave their range', () => {
  const random = createRandom(printedSeed('wire'));
  for (let round = 0; round < 20_000; round++) {
    const bytes = randomBytes(random, 1 + Math.floor(random() * 30));
    const end = Math.floor(random() * bytes.length) + 1;
    const reader = new WireReader(bytes, 0, end);
    try {
      while (reader.next()) {
        expect(reader.pos).toBeLessThanOrEqual(end);
        expect(reader.wire === WIRE_BYTES && reader.valueStart > reader.valueEnd).toBe(false);
      }
      expect(reader.pos).toBe(end);
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
    }
  }
});
