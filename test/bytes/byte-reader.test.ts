import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';

const corruption: unknown = expect.objectContaining({ code: 'CORRUPTION' });

test('what a ByteWriter wrote is read back, piece by piece', () => {
  const out = new ByteWriter(1);
  out.u8(255);
  out.u32(0xfffffffe);
  out.f64(-0.1);
  for (const value of [0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53]) out.varint(value);
  out.raw(Uint8Array.of(7, 8, 9));
  const reader = new ByteReader(out.view());
  expect([reader.u8(), reader.u32(), reader.f64()]).toEqual([255, 0xfffffffe, -0.1]);
  expect(Array.from({ length: 7 }, () => reader.varint())).toEqual([
    0,
    127,
    128,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 53,
  ]);
  expect(reader.left).toBe(3);
  expect(reader.view(3)).toEqual(Uint8Array.of(7, 8, 9));
  expect(reader.left).toBe(0);
});

test('it reads inside its range, also of a view that does not begin its buffer', () => {
  const bytes = Uint8Array.of(9, 9, 1, 0, 0, 0, 9).subarray(1);
  const reader = new ByteReader(bytes, 1, 5);
  expect(reader.u32()).toBe(1);
  expect(() => reader.u8()).toThrow(corruption);
  expect(new ByteReader(Uint8Array.from([9, ...new Uint8Array(Float64Array.of(1.5).buffer)]).subarray(1)).f64()).toBe(
    1.5,
  );
});

describe('beyond the range every read is CORRUPTION and moves nothing:', () => {
  test.each<[string, (reader: ByteReader) => unknown]>([
    ['u8', (reader) => reader.u8()],
    ['u32', (reader) => reader.u32()],
    ['f64', (reader) => reader.f64()],
    ['a view', (reader) => reader.view(1)],
    ['a negative step', (reader) => reader.skip(-1)],
    ['a step that is no number', (reader) => reader.skip(NaN)],
    ['an endless step', (reader) => reader.skip(Infinity)],
    ['a varint', (reader) => reader.varint()],
  ])('%s', (_, read) => {
    const reader = new ByteReader(Uint8Array.of(1, 2), 1, 1);
    expect(() => read(reader)).toThrow(corruption);
    expect(reader.pos).toBe(1);
  });
});

test('a varint cut, or longer than 8 bytes, is CORRUPTION', () => {
  expect(() => new ByteReader(Uint8Array.of(0x80)).varint()).toThrow(corruption);
  expect(() => new ByteReader(new Uint8Array(9).fill(0x80)).varint()).toThrow('longer than 8 bytes');
});

test('a count is refused before anybody allocates for it', () => {
  expect(new ByteReader(Uint8Array.of(2, 0, 0, 0, 0)).count(2)).toBe(2);
  expect(() => new ByteReader(Uint8Array.of(3, 0, 0, 0, 0)).count(2)).toThrow('a count of 3 exceeds its column');
});
