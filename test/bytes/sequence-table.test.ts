import { expect, test } from 'vitest';
import { SequenceTable } from '../../src/bytes/sequence-table.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

/** Interned from a scratch array that holds more than the sequence, as the scan's does. */
function intern(table: SequenceTable, ints: readonly number[]): number {
  return table.intern(Int32Array.from([...ints, 99, 98]), ints.length);
}

function entry(table: SequenceTable, id: number): number[] {
  return Array.from(table.ints.subarray(table.start(id), table.end(id)));
}

test('equal sequences get equal ids; a prefix, another order and the empty one are others', () => {
  const table = new SequenceTable();
  expect([[1, 2], [1], [2, 1], [], [1, 2], [], [-1]].map((ints) => intern(table, ints))).toEqual([0, 1, 2, 3, 0, 3, 4]);
  expect(entry(table, 2)).toEqual([2, 1]);
  expect(entry(table, 3)).toEqual([]);
  expect(entry(table, 4)).toEqual([-1]);
});

test('against a Map, through every growth and a clear', () => {
  const random = createRandom(printedSeed('sequence table'));
  const table = new SequenceTable();
  for (let life = 0; life < 2; life++) {
    const known = new Map<string, number>();
    for (let round = 0; round < 10_000; round++) {
      const ints = Array.from({ length: Math.floor(random() * 6) }, () => Math.floor(random() * 8) - 4);
      const key = ints.join();
      if (!known.has(key)) known.set(key, known.size);
      expect(intern(table, ints)).toBe(known.get(key));
    }
    for (const [key, id] of known) expect(entry(table, id).join()).toBe(key);
    expect(table.count).toBe(known.size);
    table.clear();
    expect(table.count).toBe(0);
  }
});

test('a sequence longer than the whole table fits', () => {
  const table = new SequenceTable();
  const long = Array.from({ length: 5000 }, (_, i) => i);
  intern(table, [1]);
  expect(entry(table, intern(table, long))).toEqual(long);
  expect(entry(table, 0)).toEqual([1]);
});
