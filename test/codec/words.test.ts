// 64-bit integers and doubles come back bit for bit, in the narrow form and in the raw one.
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import {
  decodeDoubles,
  decodeInts,
  encodeDoubles,
  encodeInts,
  openDoubles,
  openInts,
  type PickableWords,
  type Words,
} from '../../src/codec/words.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

function intWords(values: readonly bigint[]): Words {
  return {
    a: Uint32Array.from(values, (value) => Number(BigInt.asUintN(64, value) & 0xffffffffn)),
    b: Uint32Array.from(values, (value) => Number(BigInt.asUintN(64, value) >> 32n)),
  };
}

function doubleWords(values: readonly number[]): Words {
  const bits = new Uint32Array(Float64Array.from(values).buffer);
  return {
    a: Uint32Array.from(values, (_, i) => bits[2 * i]!),
    b: Uint32Array.from(values, (_, i) => bits[2 * i + 1]!),
  };
}

/** All values of an opened column, read one by one. */
function picked(words: PickableWords): Words {
  const [a, b] = [new Uint32Array(words.count), new Uint32Array(words.count)];
  for (let i = words.count - 1; i >= 0; i--) {
    words.read(i);
    [a[i], b[i]] = [words.a, words.b];
  }
  return { a, b };
}

function checkInts(values: readonly bigint[]): void {
  const out = new ByteWriter();
  encodeInts(out, intWords(values), values.length);
  const reader = new ByteReader(out.view());
  expect(decodeInts(reader, values.length)).toEqual(intWords(values));
  expect(picked(openInts(new ByteReader(out.view()), values.length))).toEqual(intWords(values));
  expect(reader.left).toBe(0);
}

function encodedDoubles(words: Words): Uint8Array {
  const out = new ByteWriter();
  encodeDoubles(out, words, words.a.length);
  return out.take();
}

function checkDoubles(words: Words): void {
  const reader = new ByteReader(encodedDoubles(words));
  expect(decodeDoubles(reader, words.a.length)).toEqual(words);
  expect(picked(openDoubles(new ByteReader(encodedDoubles(words)), words.a.length))).toEqual(words);
  expect(reader.left).toBe(0);
}

describe('integers', () => {
  test.each<[string, bigint[]]>([
    ['none', []],
    ['small', [0n, 1n, -1n]],
    ['of 32 bits and one more', [2n ** 32n - 1n, 2n ** 32n, -(2n ** 32n) - 1n]],
    ['exact doubles', [2n ** 52n, -(2n ** 52n)]],
    ['the last exact doubles', [2n ** 53n - 1n, -(2n ** 53n) + 1n, -(2n ** 52n) - 1n]],
    ['beyond them', [2n ** 53n + 1n, -(2n ** 53n) - 1n]],
    ['one beyond them among small ones', [1n, 2n, 2n ** 60n]],
    ['the limits', [2n ** 63n - 1n, -(2n ** 63n)]],
  ])('%s', (_, values) => checkInts(values));

  test('random ones of every size', () => {
    const random = createRandom(printedSeed('ints'));
    for (let round = 0; round < 1000; round++) {
      const bits = Math.floor(random() * 64);
      const one = (): bigint =>
        BigInt.asIntN(
          bits + 1,
          (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32)),
        );
      checkInts(Array.from({ length: Math.floor(random() * 20) }, one));
    }
  });
});

describe('doubles, bit for bit', () => {
  test.each<[string, number[]]>([
    ['none', []],
    ['whole', [0, 1, -5, 1e9]],
    ['minus zero', [-0, 0]],
    ['two decimals', [0.01, 19.99, -3.5]],
    ['six decimals', [0.123456, 1.000001]],
    ['seven decimals', [0.1234567, 1]],
    ['not decimal', [1 / 3, Math.PI]],
    ['whole and beyond 2^51', [2 ** 51, 2 ** 51 + 1, -(2 ** 53)]],
    ['huge and tiny', [1e300, 5e-324]],
    ['not finite', [NaN, Infinity, -Infinity]],
  ])('%s', (_, values) => checkDoubles(doubleWords(values)));

  test('a NaN keeps its payload and sign', () => {
    checkDoubles({ a: Uint32Array.of(1, 0xdeadbeef, 0), b: Uint32Array.of(0x7ff80000, 0xffffffff, 0xfff00000 | 1) });
  });

  test('random bits, and random decimals of up to eight digits', () => {
    const random = createRandom(printedSeed('doubles'));
    const word = (): number => Math.floor(random() * 2 ** 32);
    for (let round = 0; round < 1000; round++) {
      const count = Math.floor(random() * 10);
      checkDoubles({ a: Uint32Array.from({ length: count }, word), b: Uint32Array.from({ length: count }, word) });
      const digits = Math.floor(random() * 9);
      checkDoubles(doubleWords(Array.from({ length: count }, () => Number((random() * 1000 - 500).toFixed(digits)))));
    }
  });

  test('prices cost as much as their number of cents', () => {
    const cents = Array.from({ length: 1000 }, (_, i) => (i % 250) / 100);
    expect(encodedDoubles(doubleWords(cents)).length).toBeLessThan(1000 + 20);
  });
});

test('an unknown encoding and a column cut are CORRUPTION', () => {
  const corruption: unknown = expect.objectContaining({ code: 'CORRUPTION' });
  for (const bytes of [[9], [0, 1, 2, 3], []]) {
    expect(() => decodeInts(new ByteReader(Uint8Array.from(bytes)), 1)).toThrow(corruption);
    expect(() => decodeDoubles(new ByteReader(Uint8Array.from(bytes)), 1)).toThrow(corruption);
  }
  expect(() => decodeDoubles(new ByteReader(Uint8Array.of(1)), 1)).toThrow('unknown double encoding 1');
});
