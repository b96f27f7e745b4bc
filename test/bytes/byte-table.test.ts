import { describe, expect, test } from 'vitest';
import { ByteTable } from '../../src/bytes/byte-table.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

function intern(table: ByteTable, text: string): number {
  const bytes = Buffer.from(`..${text}.`, 'latin1');
  return table.intern(bytes, 2, bytes.length - 1);
}

test('equal bytes get equal ids, others the next number, in order of first sight', () => {
  const table = new ByteTable();
  expect(['a', 'b', '', 'a', 'ab', '', 'b'].map((text) => intern(table, text))).toEqual([0, 1, 2, 0, 3, 2, 1]);
  expect([table.count, table.sizeBytes]).toEqual([4, 4]);
  expect([0, 1, 2, 3].map((id) => table.text(id))).toEqual(['a', 'b', '', 'ab']);
  expect(Array.from(table.bytes(3))).toEqual([0x61, 0x62]);
  expect(Array.from(table.arena.subarray(table.start(3), table.end(3)))).toEqual([0x61, 0x62]);
});

test('equals compares with a range, length first', () => {
  const table = new ByteTable();
  const id = intern(table, 'key');
  const source = Buffer.from('a key here');
  expect([table.equals(id, source, 2, 5), table.equals(id, source, 2, 6), table.equals(id, source, 1, 4)]).toEqual([
    true,
    false,
    false,
  ]);
});

test('entries that are no UTF-8 are kept as bytes and shown with U+FFFD', () => {
  const table = new ByteTable();
  const id = intern(table, 'a\xff');
  expect(table.text(id)).toBe('a\ufffd');
  expect(Array.from(table.bytes(id))).toEqual([0x61, 0xff]);
});

describe('against a Map, through every growth', () => {
  test.each<[string, (random: () => number) => string]>([
    ['many short', (random) => String(Math.floor(random() * 20_000))],
    ['few long', (random) => `${Math.floor(random() * 50)}`.repeat(500)],
    ['one byte apart', (random) => `${'x'.repeat(60)}${String.fromCharCode(random() * 256)}`],
  ])('%s', (name, one) => {
    const random = createRandom(printedSeed(`byte table, ${name}`));
    const table = new ByteTable();
    for (let life = 0; life < 2; life++) {
      const known = new Map<string, number>();
      for (let round = 0; round < 20_000; round++) {
        const text = one(random);
        if (!known.has(text)) known.set(text, known.size);
        expect(intern(table, text)).toBe(known.get(text));
      }
      for (const [text, id] of known) expect(Buffer.from(table.bytes(id)).toString('latin1')).toBe(text);
      expect(table.count).toBe(known.size);
      table.clear();
      expect([table.count, table.sizeBytes]).toEqual([0, 0]);
    }
  });
});
