// Which rows a waterfall shows, and where its keys lead.
import { expect, test } from 'vitest';
import { openRows, pressKey, toggled, type GridState } from '../../src/ui/open-rows.ts';

// 0 ─ 1 ─ 2        5 ─ 6
//   └ 3 ─ 4
const rows = [0, 1, 2, 1, 2, 0, 1].map((depth) => ({ depth }));

function press(
  keys: readonly string[],
  from: GridState = { active: 0, closed: new Set() },
): readonly [number, ...number[]] {
  let state = from;
  for (const key of keys) {
    const open = openRows(rows, state.closed);
    state = pressKey(key, state, { rows, open, pageRows: 3 }) ?? state;
  }
  return [state.active, ...state.closed];
}

test('a closed row hides what is below it, also inside a closed one', () => {
  expect(openRows(rows, new Set())).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(openRows(rows, new Set([1]))).toEqual([0, 1, 3, 4, 5, 6]);
  expect(openRows(rows, new Set([0, 1]))).toEqual([0, 5, 6]);
  expect(toggled(new Set([1]), 1)).toEqual(new Set());
});

test.each<[keys: string[], active: number, ...closed: number[]]>([
  [['ArrowDown', 'ArrowDown'], 2],
  [['ArrowUp'], 0],
  [['PageDown', 'PageDown', 'PageDown'], 6],
  [['End', 'PageUp'], 3],
  [['End', 'Home'], 0],
  [['ArrowLeft'], 0, 0],
  [['ArrowLeft', 'ArrowDown'], 5, 0],
  [['ArrowLeft', 'ArrowRight'], 0],
  [['ArrowRight'], 1],
  [['End', 'ArrowLeft'], 5],
  [['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowLeft'], 3],
  [['ArrowDown', 'ArrowDown', 'ArrowRight'], 2],
  [['ArrowLeft', 'ArrowLeft'], 0, 0],
])('%j', (keys, ...expected) => expect(press(keys)).toEqual(expected));

test('other keys mean nothing', () => {
  const state: GridState = { active: 0, closed: new Set() };
  expect(pressKey('x', state, { rows, open: [0], pageRows: 1 })).toBeUndefined();
});

test('a hundred thousand rows open and close', () => {
  const deep = Array.from({ length: 100_000 }, (_, depth) => ({ depth }));
  expect(openRows(deep, new Set())).toHaveLength(100_000);
  expect(openRows(deep, new Set([10]))).toHaveLength(11);
});
