// Where a block is cut into groups: after whole traces, and never so that a small rest is left.
import { expect, test } from 'vitest';
import { cutGroups } from '../../src/block/row-group.ts';

test.each<[string, number[], number[]]>([
  ['one trace', [0, 5], [1]],
  ['few rows', [0, 3, 9], [2]],
  ['traces of one row', [0, ...Array.from({ length: 40 }, (_, i) => i + 1)], [10, 20, 30, 40]],
  ['a trace beyond the end of its group', [0, 9, 25, 40], [2, 3]],
  ['a trace larger than a group', [0, 100, 108, 110, 120], [1, 3, 4]],
  ['a rest of less than half a group', [0, 10, 14], [2]],
  ['a rest of half a group', [0, 10, 15], [1, 2]],
])('%s', (_, firsts, ends) => {
  expect(cutGroups(Uint32Array.from(firsts), 10)).toEqual(ends);
});
