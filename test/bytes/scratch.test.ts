import { expect, test } from 'vitest';
import { scratch } from '../../src/bytes/scratch.ts';

test('arrays taken together are apart from each other, of the length asked for, and aligned', () => {
  const { used } = scratch;
  const [a, b, c, d] = [scratch.uint32(3), scratch.float64(5), scratch.int32(0), scratch.float64(1)];
  expect([a.length, b.length, c.length, d.length]).toEqual([3, 5, 0, 1]);
  a.fill(7);
  b.fill(Math.PI);
  d.fill(-1);
  expect([...a, ...b, ...d]).toEqual([7, 7, 7, ...Array.from({ length: 5 }, () => Math.PI), -1]);
  scratch.giveBack(used);
  expect(scratch.used).toBe(used);
});

test('memory given back is taken again, and a need beyond it is met', () => {
  scratch.giveBack(0);
  const first = scratch.float64(4).fill(1);
  scratch.giveBack(0);
  expect(scratch.float64(4).buffer).toBe(first.buffer);
  const large = scratch.float64(1 << 21).fill(3);
  expect([large.length, large.buffer === first.buffer]).toEqual([1 << 21, false]);
  scratch.giveBack(0);
  // What was needed last time is there at once next time, up to a bound.
  const { buffer } = scratch.float64(1 << 16);
  expect([buffer.byteLength > 1 << 19, buffer.byteLength <= 8 << 20]).toEqual([true, true]);
  scratch.giveBack(0);
});
