// Strings come back byte for byte in every form and in both kinds of column; a form is taken only when it is exact.
import { describe, expect, test } from 'vitest';
import { TextArena } from '../../src/block/block-reader.ts';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteTable } from '../../src/bytes/byte-table.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import type { Texts } from '../../src/codec/text-forms.ts';
import {
  decodeTextColumn,
  decodeTextList,
  encodeTextColumn,
  encodeTextList,
  tableTexts,
} from '../../src/codec/texts.ts';
import { createRandom, printedSeed, type Random } from '../support/random-request.ts';

function textsOf(values: readonly Buffer[]): Texts {
  let at = 0;
  return {
    bytes: Buffer.concat(values),
    a: Uint32Array.from(values, (value) => (at += value.length) - value.length),
    b: Uint32Array.from(values, (value) => value.length),
  };
}

function columnOf(values: readonly Buffer[], dictionary: boolean): Uint8Array {
  const out = new ByteWriter();
  const pieces = { outs: [out], ends: [values.length], shared: new ByteWriter() };
  encodeTextColumn(pieces, textsOf(values), dictionary);
  return out.take();
}

/** An arena that holds something already, as a batch's does. */
function usedArena(): TextArena {
  const arena = new TextArena();
  arena.appendArena(Buffer.from('what was there before'));
  return arena;
}

function textsAfter(values: readonly Buffer[], dictionary: boolean): Buffer[] {
  const arena = usedArena();
  const reader = new ByteReader(columnOf(values, dictionary));
  const column = decodeTextColumn(reader, values.length, arena);
  expect(reader.left).toBe(0);
  return values.map((_, i) => {
    const entry = column.codes === undefined ? i : column.codes[i]!;
    return Buffer.from(arena.arena.slice(column.a[entry]!, column.a[entry]! + column.b[entry]!));
  });
}

const hexOf = (random: Random, length: number): string =>
  Array.from({ length }, () => '0123456789abcdef'[Math.floor(random() * 16)]).join('');
const uuidOf = (random: Random): string => [8, 4, 4, 4, 12].map((length) => hexOf(random, length)).join('-');
const UUID = '123e4567-e89b-12d3-a456-426614174000';

describe.each([false, true])('texts, dictionary %s', (dictionary) => {
  test.each<[string, string[]]>([
    ['none', []],
    ['empty', ['', '', '']],
    ['plain', ['GET', 'POST', 'GET', '']],
    ['decimal numbers', ['0', '7', '10', '999999999999999']],
    ['decimal but for a leading zero', ['10', '007']],
    ['decimal but for one digit too many', ['10', '1000000000000000']],
    ['decimal but for a sign', ['10', '-7']],
    ['hex', ['deadbeef', '0123456789abcdef']],
    ['hex but for an upper-case digit', ['deadbeef', 'DEADBEEF']],
    ['hex of odd length', ['deadbeef1', 'deadbeef2']],
    ['UUIDs', [UUID, '00000000-0000-0000-0000-000000000000']],
    ['random UUIDs', ['123e4567-e89b-42d3-8456-426614174000', 'ffffffff-ffff-4fff-bfff-ffffffffffff']],
    ['random UUIDs but for one', ['123e4567-e89b-42d3-8456-426614174000', UUID]],
    ['UUIDs but for one in capitals', [UUID, UUID.toUpperCase()]],
    ['UUIDs but for a dash too far', [UUID, '123e4567e-89b-12d3-a456-426614174000']],
    ['invalid UTF-8', ['\xff\xfe', '\x80']],
    ['of 70,000 bytes', ['x'.repeat(70_000), 'y']],
  ])('%s', (_, values) => {
    const buffers = values.map((value) => Buffer.from(value, 'latin1'));
    expect(textsAfter(buffers, dictionary)).toEqual(buffers);
  });

  test('random columns of mixed forms', () => {
    const random = createRandom(printedSeed('texts'));
    const forms = [
      uuidOf,
      (r: Random) => hexOf(r, 16),
      (r: Random) => String(Math.floor(r() * 1e6)),
      (r: Random) => `/cart/${Math.floor(r() * 5)}`,
      (r: Random) => uuidOf(r).replace(/(.{14}).(.{4}).(.*)/, '$14$29$3'),
      (r: Random) => `10.0.${Math.floor(r() * 8)}.${Math.floor(r() * 256)}`,
    ];
    for (let round = 0; round < 300; round++) {
      const odd = random() < 0.3;
      const form = forms[Math.floor(random() * forms.length)]!;
      const one = (): Buffer => Buffer.from(odd && random() < 0.1 ? '-odd-' : form(random));
      const values = Array.from({ length: Math.floor(random() * 60) }, one);
      expect(textsAfter(values, dictionary)).toEqual(values);
    }
  });
});

test('narrow forms are narrow: a UUID takes 16 bytes, hex half its text, a number its own bytes', () => {
  const random = createRandom(1);
  const size = (form: () => string): number =>
    columnOf(
      Array.from({ length: 100 }, () => Buffer.from(form())),
      true,
    ).length;
  expect(size(() => uuidOf(random))).toBe(100 * 16 + 2);
  expect(size(() => uuidOf(random).replace(/(.{14}).(.{4}).(.*)/, '$14$29$3'))).toBe(100 * 15.25 + 2);
  expect(size(() => hexOf(random, 32))).toBeLessThan(100 * 16 + 40);
  expect(size(() => String(1000 + Math.floor(random() * 60_000)))).toBeLessThan(100 * 2 + 30);
});

test('a dictionary holds each value once, and is taken only where values repeat', () => {
  const repeated = Array.from({ length: 300 }, (_, i) => Buffer.from(`a rather long value number ${i % 3}!`));
  expect(columnOf(repeated, true).length).toBeLessThan(3 * 32 + 300 + 60);
  const arena = new TextArena();
  const column = decodeTextColumn(new ByteReader(columnOf(repeated, true)), 300, arena);
  expect([column.a.length, column.codes?.length]).toEqual([3, 300]);
  const different = Array.from({ length: 300 }, (_, i) => Buffer.from(`value ${i}!`));
  expect(decodeTextColumn(new ByteReader(columnOf(different, true)), 300, new TextArena()).codes).toBeUndefined();
});

test('addresses of one network are no dictionary, however often each comes; ids that come twice are one', () => {
  const random = createRandom(1);
  const addresses = Array.from({ length: 4000 }, () =>
    Buffer.from(`10.0.${Math.floor(random() * 8)}.${Math.floor(random() * 256)}`),
  );
  expect(textsAfter(addresses, true)).toEqual(addresses);
  expect(columnOf(addresses, true).length).toBeLessThan(2 * 4000 + 60);
  const ids = Array.from({ length: 600 }, () => Buffer.from(`session ${uuidOf(random)}`));
  const twice = [...ids, ...ids];
  expect(textsAfter(twice, true)).toEqual(twice);
  expect(columnOf(twice, true).length).toBeLessThan(600 * 16 + 1200 * 2 + 60);
});

test('a list is written as its texts say, not as they lie: overlapping and unordered ranges are fine', () => {
  const texts = { bytes: Buffer.from('abcdef'), a: Uint32Array.of(3, 0, 1), b: Uint32Array.of(3, 6, 2) };
  const out = new ByteWriter();
  encodeTextList(out, texts, 3, true);
  const arena = usedArena();
  const { a, b } = decodeTextList(new ByteReader(out.view()), 3, arena);
  expect(Array.from(a, (at, i) => Buffer.from(arena.arena).toString('latin1', at, at + b[i]!))).toEqual([
    'def',
    'abcdef',
    'bc',
  ]);
});

test('the texts of a table are its entries in order of their ids', () => {
  const table = new ByteTable();
  for (const text of ['GET', '', 'POST']) table.intern(Buffer.from(text), 0, text.length);
  const { bytes, a, b } = tableTexts(table);
  expect(Array.from(a, (at, i) => Buffer.from(bytes).toString('latin1', at, at + b[i]!))).toEqual(['GET', '', 'POST']);
});

function varint(value: number): Uint8Array {
  const out = new ByteWriter();
  out.varint(value);
  return out.take();
}

/** Columns with every length right and a lie inside, as only a bug or a forger writes them. */
describe('a column no writer wrote is CORRUPTION:', () => {
  const constant = (value: number): number[] => (value < 0 ? [3, -value] : [0, value]);
  test.each<[string, number[]]>([
    ['nothing', []],
    ['an unknown kind of column', [2]],
    ['an unknown form', [0, 6]],
    ['lengths beyond the column', [0, 0, ...constant(5), 65]],
    ['negative lengths', [0, 0, ...constant(-1), 65, 65]],
    ['hex of odd length', [0, 2, ...constant(3), 65, 65, 65, 65]],
    ['UUIDs cut', [0, 1, ...Array.from({ length: 31 }, () => 0)]],
    ['decimals that are negative', [0, 3, ...constant(-7)]],
    ['decimals of too many digits', [0, 3, 0, ...varint(1e15)]],
    ['more distinct values than values', [1, 3, 0, ...constant(0), ...constant(0)]],
    ['a code beyond the dictionary', [1, 1, 0, ...constant(1), 65, ...constant(1)]],
    ['a negative code', [1, 1, 0, ...constant(1), 65, ...constant(-1)]],
    ['random UUIDs cut', [0, 4, ...Array.from({ length: 30 }, () => 0)]],
    ['a pattern beyond the list', [0, 5, 1, 1, 65, ...constant(1)]],
  ])('%s', (_, bytes) => {
    expect(() => decodeTextColumn(new ByteReader(Uint8Array.from(bytes)), 2, new TextArena())).toThrow(
      expect.objectContaining({ code: 'CORRUPTION' }),
    );
  });
});
