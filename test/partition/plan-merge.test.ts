import { describe, expect, test } from 'vitest';
import { MERGE_PARTS_MAX, MERGE_PARTS_MIN, MERGE_ROWS_MAX, planMerge } from '../../src/partition/plan-merge.ts';

const BYTES_PER_ROW = 30;
const parts = (...rows: number[]): { id: string; rows: number; sizeBytes: number }[] =>
  rows.map((count, i) => ({ id: String(i + 1), rows: count, sizeBytes: count * BYTES_PER_ROW }));

const eight = (rows: number): number[] => Array.from({ length: MERGE_PARTS_MIN }, () => rows);
const seven = (rows: number): number[] => eight(rows).slice(1);
const FIRST = [1, 2, 3, 4, 5, 6, 7, 8];

describe('planMerge', () => {
  test.each([
    { what: 'nothing', rows: [], expected: [] },
    { what: 'too few parts', rows: seven(10), expected: [] },
    { what: 'tiny parts of whatever size', rows: [1, 16_000, 3, 500, 7, 7, 9_000, 2], expected: FIRST },
    { what: 'parts of a size', rows: [1e5, 1.1e5, 9e4, 1.2e5, 1e5, 7e5, 6e5, 1e5], expected: FIRST },
    {
      what: 'a large part apart from small ones',
      rows: [5_000_000, ...eight(100_000)],
      expected: FIRST.map((id) => id + 1),
    },
    { what: 'seven of each of many sizes', rows: [1, 1.4e5, 1.2e6, 1e7].flatMap(seven), expected: [] },
    { what: 'the smallest tier first', rows: [...eight(1e6), ...eight(1e5)], expected: FIRST.map((id) => id + 8) },
    { what: 'parts that together would pass the bound', rows: eight(2e7), expected: [] },
  ])('given $what picks $expected', ({ rows, expected }) => {
    expect(planMerge(parts(...rows))).toEqual(expected.map(String));
  });

  test.each([
    { rows: eight(1_000), bytesMax: 240_000, expected: FIRST },
    { rows: eight(1_000), bytesMax: 239_999, expected: [] },
    { rows: [...eight(1_000), 1_000], bytesMax: 240_000, expected: FIRST },
    { rows: [...eight(1e6), ...eight(10)], bytesMax: 1_000_000, expected: FIRST.map((id) => id + 8) },
    { rows: eight(10), bytesMax: 0, expected: [] },
  ])('with room for $bytesMax bytes picks $expected of parts of $rows rows', ({ rows, bytesMax, expected }) => {
    expect(planMerge(parts(...rows), bytesMax)).toEqual(expected.map(String));
  });

  test('never picks more parts than one merge may open', () => {
    expect(planMerge(parts(...Array.from({ length: 50 }, () => 1_000)))).toHaveLength(MERGE_PARTS_MAX);
  });

  test('keeps a day of flushes to few parts, and rewrites a row a few times', () => {
    let live = parts();
    let nextId = 1;
    let rewritten = 0;
    let partsMost = 0;
    for (let flush = 0; flush < 8_640; flush++) {
      live.push({ id: String(nextId++), rows: 50_000, sizeBytes: 0 });
      for (let picked = planMerge(live); picked.length > 0; picked = planMerge(live)) {
        const rows = live.filter(({ id }) => picked.includes(id)).reduce((sum, part) => sum + part.rows, 0);
        expect(rows).toBeLessThanOrEqual(MERGE_ROWS_MAX);
        rewritten += rows;
        live = [...live.filter(({ id }) => !picked.includes(id)), { id: String(nextId++), rows, sizeBytes: 0 }];
      }
      partsMost = Math.max(partsMost, live.length);
    }
    expect(live.reduce((sum, part) => sum + part.rows, 0)).toBe(8_640 * 50_000);
    expect(partsMost).toBeLessThan(40);
    expect(rewritten / (8_640 * 50_000)).toBeLessThan(4);
  });
});
