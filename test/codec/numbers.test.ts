// Every exact integer comes back exactly, whatever else is in its column, read alone or with all others; damaged columns are CORRUPTION.
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { decodeNumbers, encodeNumbers, openNumbers } from '../../src/codec/numbers.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

function encoded(values: readonly number[]): Uint8Array {
  const out = new ByteWriter();
  out.u8(99); // a column seldom begins at 0
  encodeNumbers(out, Float64Array.from(values), values.length);
  return out.take();
}

function numbersAfter(values: readonly number[]): number[] {
  const reader = new ByteReader(encoded(values), 1);
  const decoded = Array.from(decodeNumbers(reader, values.length));
  expect(reader.left).toBe(0);
  // One by one they are the same.
  const opened = openNumbers(new ByteReader(encoded(values), 1), values.length);
  expect(Array.from({ length: opened.count }, (_, i) => opened.at(i))).toEqual(decoded);
  return decoded;
}

const LIMIT = 2 ** 53;

test.each<[string, number[]]>([
  ['none', []],
  ['one', [42]],
  ['the same', [7, 7, 7]],
  ['small', [0, 1, 2, 255]],
  ['one byte more', [0, 256]],
  ['far from zero and close together', [1e15, 1e15 + 3, 1e15 + 1]],
  ['negative', [-1, -2, -300]],
  ['negative and the same', [-7, -7]],
  ['both signs', [-5, 0, 5, 1e9, -1e9]],
  ['the exact limits', [-LIMIT, LIMIT, 0]],
  ['the exact limits and small ones', [-LIMIT, LIMIT, 1, -1, 0]],
  ['odd ones whose zigzag number is no exact double', [-(2 ** 52) - 1, -LIMIT + 1, LIMIT - 1, -3]],
  ['the lowest and its neighbour', [-LIMIT, -LIMIT + 1]],
  ['beyond 32 bits', [2 ** 32 - 1, 2 ** 32, 2 ** 33 + 1]],
  ['around 31 bits, signed', [2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32 - 1, -(2 ** 32)]],
  ['of µs granularity', [5000, 17_000, 3000, -9000]],
  ['with a common divisor and a base', [10_000_000, 10_250_000, 10_500_000]],
])('%s', (_, values) => {
  expect(numbersAfter(values)).toEqual(values);
});

test('each width of bytes, at its edges, of both signs', () => {
  for (let bits = 1; bits <= 53; bits++) {
    for (const edge of [2 ** bits - 1, 2 ** bits, -(2 ** bits) + 1, -(2 ** bits)]) {
      if (Math.abs(edge) <= LIMIT) expect(numbersAfter([edge, 0, 1])).toEqual([edge, 0, 1]);
    }
  }
});

test('random columns of every width', () => {
  const random = createRandom(printedSeed('numbers'));
  for (let round = 0; round < 3000; round++) {
    const scale = 2 ** Math.floor(random() * 54);
    const negative = random();
    const offset = random() < 0.5 ? 0 : Math.floor(random() * (LIMIT - scale));
    const values = Array.from({ length: Math.floor(random() * 40) }, () => {
      const value = Math.floor(random() * scale) + offset;
      return random() < negative && value !== 0 ? -value : value;
    });
    expect(numbersAfter(values)).toEqual(values);
  }
});

test('what repeats is narrow: a constant takes its own bytes, µs cost no more than their number of µs', () => {
  expect(encoded(Array.from({ length: 1000 }, () => 100)).length - 1).toBe(2);
  expect(encoded(Array.from({ length: 1000 }, () => -LIMIT)).length - 1).toBe(9);
  const micros = Array.from({ length: 1000 }, (_, i) => 1000 * (i % 250));
  expect(encoded(micros).length - 1).toBe(5 + 1000);
  const apart = micros.map((value) => value + 1e15);
  expect(encoded(apart).length - 1).toBe(12 + 1000);
});

describe('a column no writer wrote is CORRUPTION:', () => {
  const planes = encoded([1, 2, 300]).subarray(1);
  const changed = (at: number, value: number): Uint8Array => planes.with(at, value);
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['an unknown encoding', changed(0, 4)],
    ['width 0', changed(1, 0)],
    ['width 8', changed(1, 8)],
    ['a plane too few', changed(1, 3)],
    ['one byte too few', planes.subarray(0, -1)],
    ['a constant cut', encoded([500]).subarray(1, 3)],
  ])('%s', (_, bytes) => {
    expect(() => decodeNumbers(new ByteReader(bytes), 3)).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
  });
});

test('planes, and parts inside a plane, end in seams', () => {
  const out = new ByteWriter();
  encodeNumbers(out, Float64Array.of(1, 2, 300, 400), 4, [0, 2]);
  const start = out.length - 8;
  expect(out.seams).toEqual([start, start + 2, start + 4, start + 6, start + 8]);
});

test('numbers that the codec cannot hold, or that are not there, are a bug', () => {
  expect(() => encoded([1, 0.5])).toThrow('BUG: a number column of other numbers than integers');
  expect(() => encoded([NaN, 1])).toThrow('BUG');
  expect(() => encodeNumbers(new ByteWriter(), new Float64Array(2), 3)).toThrow('BUG: more numbers to write');
});
