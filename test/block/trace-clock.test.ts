import { expect, test } from 'vitest';
import { TraceClock } from '../../src/block/trace-clock.ts';

/** Predictions for rows with these (start, duration, parent), all of one trace beginning at row 0. */
function predictions(rows: readonly (readonly [start: number, duration: number, parent: number])[]): number[] {
  const clock = new TraceClock(
    Float64Array.from(rows, ([start]) => start),
    Float64Array.from(rows, ([, duration]) => duration),
  );
  return rows.map(([, , parent], row) => {
    const predicted = row === 0 ? NaN : clock.predict(row, parent, 0);
    clock.observe(row, parent);
    return predicted;
  });
}

test('a first child starts with its parent, a later one when its sibling before it ends', () => {
  expect(
    predictions([
      [100, 50, -1],
      [110, 20, 0],
      [112, 5, 1],
      [130, 7, 0],
      [140, 1, 0],
    ]),
  ).toEqual([NaN, 100, 110, 130, 137]);
});

test('without a parent before it, a row starts with the row before', () => {
  expect(
    predictions([
      [100, 50, -1],
      [105, 1, -2],
      [106, 1, 3],
      [107, 1, 3],
      [108, 1, -1],
    ]),
  ).toEqual([NaN, 100, 105, 106, 107]);
});

test('a sibling whose end is before its start, or too far away to be exact, is not believed', () => {
  expect(
    predictions([
      [100, 50, -1],
      [110, -5, 0],
      [111, 2 ** 52, 0],
      [112, 10, 0],
      [113, 2 ** 53, 0],
      [114, 1, 0],
    ]),
  ).toEqual([NaN, 100, 100, 100, 122, 122]);
});

test('in a second trace the first row has none before it', () => {
  const clock = new TraceClock(Float64Array.of(1, 2, 3), new Float64Array(3));
  expect([clock.predict(2, -1, 2), clock.predict(2, -1, 1)]).toEqual([3, 2]);
});
