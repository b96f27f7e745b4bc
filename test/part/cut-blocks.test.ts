import { describe, expect, test } from 'vitest';
import { cutBlocks } from '../../src/part/cut-blocks.ts';

describe('cutBlocks', () => {
  test.each([
    { traceEnds: [], rowsMax: 10, expected: [] },
    { traceEnds: [10], rowsMax: 10, expected: [10] },
    { traceEnds: [4, 8, 12], rowsMax: 10, expected: [8, 12] },
    { traceEnds: [4, 10, 11], rowsMax: 10, expected: [10, 11] },
    { traceEnds: [2, 4, 6, 8, 10, 12], rowsMax: 10, expected: [6, 12] },
    { traceEnds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], rowsMax: 10, expected: [6, 11] },
    { traceEnds: [25], rowsMax: 10, expected: [10, 20, 25] },
    { traceEnds: [3, 28, 30], rowsMax: 10, expected: [3, 13, 23, 30] },
    { traceEnds: [20, 40], rowsMax: 10, expected: [10, 20, 30, 40] },
  ])(
    'of traces ending at $traceEnds with at most $rowsMax rows gives $expected',
    ({ traceEnds, rowsMax, expected }) => {
      expect(cutBlocks(Uint32Array.from(traceEnds), rowsMax)).toEqual(expected);
    },
  );
});
