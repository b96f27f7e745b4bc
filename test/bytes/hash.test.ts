import { expect, test } from 'vitest';
import { hashBytes, hashInts } from '../../src/bytes/hash.ts';

test('a hash depends on the range alone, not on where it lies', () => {
  const bytes = Buffer.from('..http.method....http.method');
  for (let size = 0; size <= 11; size++) expect(hashBytes(bytes, 2, 2 + size)).toBe(hashBytes(bytes, 17, 17 + size));
  const ints = Int32Array.of(9, 1, 2, 3, 1, 2, 3);
  expect(hashInts(ints, 1, 4)).toBe(hashInts(ints, 4, 7));
});

test('a hash is a uint32 and differs by length, by each byte and by order', () => {
  const seen = new Set<number>();
  const add = (hash: number): void => {
    expect(hash >>> 0).toBe(hash);
    expect(seen.has(hash)).toBe(false);
    seen.add(hash);
  };
  for (let size = 0; size < 9; size++) add(hashBytes(new Uint8Array(9), 0, size));
  for (let at = 0; at < 9; at++) add(hashBytes(new Uint8Array(9).fill(1, at, at + 1), 0, 9));
  add(hashInts(Int32Array.of(1, 2), 0, 2));
  add(hashInts(Int32Array.of(2, 1), 0, 2));
  add(hashInts(Int32Array.of(1, 2), 0, 1));
});

test('names that count up fill a table evenly: the fullest of 256 slots holds less than three times its share', () => {
  const slots = new Uint32Array(256);
  for (let i = 0; i < 25_600; i++) {
    const name = Buffer.from(`GET /api/item/${i}`);
    slots[hashBytes(name, 0, name.length) & 255]!++;
  }
  expect(Math.max(...slots)).toBeLessThan(300);
});
