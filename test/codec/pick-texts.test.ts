// A text read alone is the same as in the whole list, whatever form the list has, in any order.
import { describe, expect, test } from 'vitest';
import { TextArena } from '../../src/block/block-reader.ts';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { openTextColumn, openTextList, type PickableColumn, type PickableTexts } from '../../src/codec/pick-texts.ts';
import type { Texts } from '../../src/codec/text-forms.ts';
import {
  DECIMAL,
  decodeTextList,
  encodeTextColumn,
  encodeTextList,
  HEX,
  PATTERNS,
  PLAIN,
  RANDOM_UUID,
  UUID,
} from '../../src/codec/texts.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const random = createRandom(printedSeed('pick texts'));
const number = (end: number): number => Math.floor(random() * end);
const hex = (length: number): string => Array.from({ length }, () => number(16).toString(16)).join('');
const uuid = (): string => `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`;
const randomUuid = (): string => `${hex(8)}-${hex(4)}-4${hex(3)}-${'89ab'[number(4)]}${hex(3)}-${hex(12)}`;

function textsOf(values: readonly string[]): Texts {
  const buffers = values.map((value) => Buffer.from(value));
  let at = 0;
  return {
    bytes: Buffer.concat(buffers),
    a: Uint32Array.from(buffers, (value) => (at += value.length) - value.length),
    b: Uint32Array.from(buffers, (value) => value.length),
  };
}

function printed(texts: PickableTexts | PickableColumn, index: number): string {
  const arena = new TextArena();
  arena.appendArena(Buffer.from('before'));
  const start = texts.print(index, arena);
  return Buffer.from(arena.arena.subarray(start, start + texts.size)).toString();
}

describe.each<[string, number, () => string]>([
  ['plain', PLAIN, () => ['', 'a', 'some text', 'ü'][number(4)]! + 'x\u0001'.repeat(number(3))],
  ['UUID', UUID, uuid],
  ['random UUID', RANDOM_UUID, randomUuid],
  ['hex', HEX, () => `f${hex(7 + 2 * number(30))}`],
  ['decimal', DECIMAL, () => String(number(10 ** (1 + number(15))))],
  [
    'patterns',
    PATTERNS,
    () =>
      [
        () => `GET /cart/${number(1e6)}/items/${number(9)}?id=${uuid()}`,
        () => `10.0.${number(256)}.${number(256)}:${number(65536)}`,
        () => `blob ${hex(16)} of 0${number(100)}`,
        () => 'no variable at all',
      ][number(4)]!(),
  ],
])('%s', (_, form, make) => {
  test.each([1, 2, 63, 64, 65, 1_000])('%i texts', (count) => {
    if (form === PATTERNS && count < 63) return;
    const values = Array.from({ length: count }, make);
    // A list of one makes the form certain: a second kind of text would end it.
    const out = new ByteWriter();
    encodeTextList(out, textsOf(values), count, true);
    const bytes = out.take();
    if (form !== PLAIN) expect(bytes[0]).toBe(form);
    const reader = new ByteReader(bytes);
    const texts = openTextList(reader, count);
    expect(reader.left).toBe(0);
    expect(texts.count).toBe(count);
    const order = Array.from({ length: Math.min(200, 2 * count) }, () => number(count));
    for (const index of [0, count - 1, ...order]) expect(printed(texts, index)).toBe(values[index]);
    const whole = new TextArena();
    const { a, b } = decodeTextList(new ByteReader(bytes), count, whole);
    expect(Array.from(a, (at, i) => Buffer.from(whole.arena.subarray(at, at + b[i]!)).toString())).toEqual(values);
  });
});

test('a column in pieces: each piece has its values, and all share the distinct ones', () => {
  const values = Array.from({ length: 300 }, (_, i) => `value ${'x'.repeat(i % 7)}`);
  const outs = [new ByteWriter(), new ByteWriter(), new ByteWriter()];
  const shared = new ByteWriter();
  const ends = [100, 100, 300];
  const texts = encodeTextColumn({ outs, ends, shared }, textsOf(values), true)!;
  expect(texts.isShared).toBe(true);
  const distinct = openTextList(new ByteReader(shared.take()), texts.distinct.count);
  expect(outs[1]!.length).toBe(0);
  for (const [piece, from] of [[0, 0] as const, [2, 100] as const]) {
    const count = ends[piece]! - from;
    const column = openTextColumn(new ByteReader(outs[piece]!.take()), count, () => distinct);
    expect(Array.from({ length: count }, (_, i) => printed(column, i))).toEqual(values.slice(from, ends[piece]));
  }
  expect(() => openTextColumn(new ByteReader(Uint8Array.of(2)), 1)).toThrow('without its distinct values');
});

test.each<[string, number[]]>([
  ['an unknown form', [9]],
  ['lengths beyond the end', [PLAIN, 0, 5, 1, 2]],
  ['UUIDs cut', [UUID, 1, 2, 3]],
  ['a pattern that no text can have', [PATTERNS, 1, 1, 31, 0, 0]],
  ['a code beyond the patterns', [PATTERNS, 1, 1, 65, 0, 4]],
])('%s is CORRUPTION', (_, bytes) => {
  expect(() => openTextList(new ByteReader(Uint8Array.from(bytes)), 2)).toThrow(
    expect.objectContaining({ code: 'CORRUPTION' }),
  );
});
