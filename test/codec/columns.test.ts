// Every codec gives back exactly what it was given, on tables of edge cases and on random columns.
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { TextArena } from '../../src/block/block-reader.ts';
import { decodeNumbers, encodeNumbers } from '../../src/codec/numbers.ts';
import { decodeTextColumn, encodeTextColumn } from '../../src/codec/texts.ts';
import { decodeDoubles, decodeInts, encodeDoubles, encodeInts } from '../../src/codec/words.ts';
import { createRandom, printedSeed, type Random } from '../support/random-request.ts';

function numbersAfter(values: readonly number[]): number[] {
  const out = new ByteWriter();
  encodeNumbers(out, Float64Array.from(values), values.length);
  const reader = new ByteReader(out.view());
  const decoded = Array.from(decodeNumbers(reader, values.length));
  expect(reader.left).toBe(0);
  return decoded;
}

describe('numbers', () => {
  test.each<[string, number[]]>([
    ['none', []],
    ['one', [42]],
    ['the same', [7, 7, 7]],
    ['small', [0, 1, 2, 255]],
    ['one byte more', [0, 256]],
    ['far from zero and close together', [1e15, 1e15 + 3, 1e15 + 1]],
    ['negative', [-1, -2, -300]],
    ['both signs', [-5, 0, 5, 1e9, -1e9]],
    ['the exact limits', [-(2 ** 53), 2 ** 53, 0]],
    ['beyond 32 bits', [2 ** 32 - 1, 2 ** 32, 2 ** 33 + 1]],
    ['of µs granularity', [5000, 17000, 3000, -9000]],
    ['with a common divisor and a base', [10_000_000, 10_250_000, 10_500_000]],
  ])('%s', (_, values) => {
    expect(numbersAfter(values)).toEqual(values);
  });

  test('random columns of every width', () => {
    const random = createRandom(printedSeed('numbers'));
    for (let round = 0; round < 2000; round++) {
      const scale = 2 ** Math.floor(random() * 53);
      const sign = random() < 0.5 ? 1 : -1;
      const offset = random() < 0.5 ? 0 : Math.floor(random() * 2 ** 52);
      const values = Array.from({ length: Math.floor(random() * 40) }, () => {
        const value =
          Math.floor(random() * scale) * (random() < 0.5 ? 1 : sign) + (offset + scale < 2 ** 53 ? offset : 0);
        return value === 0 ? 0 : value;
      });
      expect(numbersAfter(values)).toEqual(values);
    }
  });
});

describe('64-bit words', () => {
  const words = (values: readonly bigint[]): { a: Uint32Array; b: Uint32Array } => ({
    a: Uint32Array.from(values, (value) => Number(BigInt.asUintN(64, value) & 0xffffffffn)),
    b: Uint32Array.from(values, (value) => Number(BigInt.asUintN(64, value) >> 32n)),
  });

  test.each<[string, bigint[]]>([
    ['small', [0n, 1n, -1n]],
    ['exact doubles', [2n ** 52n, -(2n ** 52n)]],
    ['beyond them', [2n ** 53n + 1n, -(2n ** 53n) - 1n]],
    ['the limits', [2n ** 63n - 1n, -(2n ** 63n)]],
  ])('integers: %s', (_, values) => {
    const out = new ByteWriter();
    const input = words(values);
    encodeInts(out, input, values.length);
    expect(decodeInts(new ByteReader(out.view()), values.length)).toEqual(input);
  });

  test.each<[string, number[]]>([
    ['whole', [0, 1, -5, 1e9]],
    ['minus zero', [-0, 0]],
    ['two decimals', [0.01, 19.99, -3.5]],
    ['six decimals', [0.123456, 1.000001]],
    ['not decimal', [1 / 3, Math.PI]],
    ['huge and tiny', [1e300, 5e-324]],
    ['not finite', [NaN, Infinity, -Infinity]],
  ])('doubles, bit for bit: %s', (_, values) => {
    const view = new Uint32Array(Float64Array.from(values).buffer);
    const a = Uint32Array.from(values, (__, i) => view[2 * i]!);
    const b = Uint32Array.from(values, (__, i) => view[2 * i + 1]!);
    const out = new ByteWriter();
    encodeDoubles(out, { a, b }, values.length);
    expect(decodeDoubles(new ByteReader(out.view()), values.length)).toEqual({ a, b });
  });
});

function textsAfter(values: readonly Buffer[], dictionary: boolean): { back: Buffer[]; sizeBytes: number } {
  const bytes = Buffer.concat(values);
  let at = 0;
  const a = Uint32Array.from(values, (value) => (at += value.length) - value.length);
  const b = Uint32Array.from(values, (value) => value.length);
  const out = new ByteWriter();
  encodeTextColumn(out, { bytes, a, b }, values.length, dictionary);
  const arena = new TextArena();
  arena.appendArena(Buffer.from('what was there before'));
  const column = decodeTextColumn(new ByteReader(out.view()), values.length, arena);
  const back = values.map((_, i) => {
    const entry = column.codes === undefined ? i : column.codes[i]!;
    return Buffer.from(arena.arena.slice(column.a[entry]!, column.a[entry]! + column.b[entry]!));
  });
  return { back, sizeBytes: out.length };
}

const hexOf = (random: Random, length: number): string =>
  Array.from({ length }, () => '0123456789abcdef'[Math.floor(random() * 16)]).join('');
const uuidOf = (random: Random): string => [8, 4, 4, 4, 12].map((length) => hexOf(random, length)).join('-');

describe.each([false, true])('texts, dictionary %s', (dictionary) => {
  test.each<[string, string[]]>([
    ['none', []],
    ['empty', ['', '', '']],
    ['plain', ['GET', 'POST', 'GET', '']],
    ['decimal numbers', ['0', '7', '10', '999999999999999']],
    ['decimal but for a leading zero', ['10', '007']],
    ['decimal but for one digit too many', ['10', '1000000000000000']],
    ['hex', ['deadbeef', '0123456789abcdef']],
    ['hex but for an upper-case digit', ['deadbeef', 'DEADBEEF']],
    ['hex of odd length', ['deadbeef1', 'deadbeef2']],
    ['UUIDs', ['123e4567-e89b-12d3-a456-426614174000', '00000000-0000-0000-0000-000000000000']],
    ['UUIDs but for one in capitals', ['123e4567-e89b-12d3-a456-426614174000', '123E4567-E89B-12D3-A456-426614174000']],
    ['UUIDs but for a dash too far', ['123e4567-e89b-12d3-a456-426614174000', '123e4567e-89b-12d3-a456-426614174000']],
    ['invalid UTF-8', ['\xff\xfe', '\x80']],
  ])('%s', (_, values) => {
    const buffers = values.map((value) => Buffer.from(value, 'latin1'));
    expect(textsAfter(buffers, dictionary).back).toEqual(buffers);
  });

  test('random columns of mixed forms', () => {
    const random = createRandom(printedSeed('texts'));
    const forms = [
      uuidOf,
      (r: Random) => hexOf(r, 16),
      (r: Random) => String(Math.floor(r() * 1e6)),
      (r: Random) => `/cart/${Math.floor(r() * 5)}`,
    ];
    for (let round = 0; round < 300; round++) {
      const odd = random() < 0.3;
      const form = forms[Math.floor(random() * forms.length)]!;
      const values = Array.from({ length: Math.floor(random() * 60) }, () =>
        Buffer.from(odd && random() < 0.1 ? '-odd-' : form(random)),
      );
      expect(textsAfter(values, dictionary).back).toEqual(values);
    }
  });
});

test('narrow forms are narrow: a UUID takes 16 bytes, hex half its text', () => {
  const random = createRandom(1);
  const uuids = Array.from({ length: 100 }, () => Buffer.from(uuidOf(random)));
  expect(textsAfter(uuids, true).sizeBytes).toBeLessThan(100 * 16 + 10);
  const hex = Array.from({ length: 100 }, () => Buffer.from(hexOf(random, 32)));
  expect(textsAfter(hex, true).sizeBytes).toBeLessThan(100 * 16 + 40);
});
