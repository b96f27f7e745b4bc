// Totals by key equal those of a Map, for any keys.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CountTable } from '../../src/bytes/count-table.ts';

const anyKey = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), fc.nat(50));

test('totals are those of a map, slots in order of first sight', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyKey, fc.integer(), fc.integer()), { maxLength: 2000 }), (adds) => {
      const table = new CountTable();
      const expected = new Map<number, [number, number]>();
      for (const [key, calls, errors] of adds) {
        const [x, y] = expected.get(key) ?? [0, 0];
        expected.set(key, [x + calls, y + errors]);
        expect(table.keys[table.add(key, calls, errors)]).toBe(key);
      }
      const rows = Array.from({ length: table.count }, (_, i) => [table.keys[i], [table.calls[i], table.errors[i]]]);
      expect(rows).toEqual([...expected]);
    }),
  );
});

test('a cleared table starts from nothing', () => {
  const table = new CountTable();
  for (let key = 0; key < 5000; key++) table.add(key * 2 ** 33, 1, 1);
  table.clear();
  expect(table.count).toBe(0);
  expect(table.add(7, 2, 0)).toBe(0);
  expect([table.calls[0], table.errors[0], table.slot(2 ** 33)]).toEqual([2, 0, 1]);
});
