// The median and its interval, on values whose interval is known from tables of the sign test.
import { expect, test } from 'vitest';
import { medianOf } from '../../native-bench/harness/median.ts';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

test.each([
  [1, 1, 1, 1],
  [5, 3, 1, 5],
  [6, 3.5, 1, 6],
  [8, 4.5, 1, 8],
  [9, 5, 2, 8],
  [12, 6.5, 3, 10],
  [20, 10.5, 6, 15],
  [30, 15.5, 10, 21],
])('of the numbers up to %d it is %d, from %d to %d, in any order', (n, median, from, to) => {
  expect(medianOf(upTo(n).toReversed())).toEqual({ median, from, to });
});

test('of nothing there is none', () => expect(() => medianOf([])).toThrow('the median of nothing'));
