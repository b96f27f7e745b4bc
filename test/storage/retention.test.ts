import { describe, expect, test } from 'vitest';
import { acceptedStarts, daysToDrop } from '../../src/storage/retention.ts';

const DAY_MS = 86_400_000;

describe('retention', () => {
  const week = { retentionMs: 7 * DAY_MS, futureRetentionMs: 2 * DAY_MS };

  test.each([
    { nowMs: 20 * DAY_MS, days: [11, 12, 13], expected: [11, 12] },
    { nowMs: 20 * DAY_MS - 1, days: [11, 12, 13], expected: [11] },
    { nowMs: 20 * DAY_MS + 1, days: [13, 40], expected: [] },
    { nowMs: 0, days: [0, 1], expected: [] },
  ])('at $nowMs ms drops $expected of the days $days', ({ nowMs, days, expected }) => {
    expect(daysToDrop(days, nowMs, week)).toEqual(expected);
  });

  test('never drops a day that it still accepts spans of', () => {
    for (let nowMs = 19 * DAY_MS; nowMs <= 21 * DAY_MS; nowMs += DAY_MS / 48) {
      const { startMinNs } = acceptedStarts(BigInt(nowMs) * 1_000_000n, week);
      const oldest = Number(startMinNs / 1_000_000n / BigInt(DAY_MS));
      expect(daysToDrop([oldest], nowMs, week)).toEqual([]);
      expect(daysToDrop([oldest - 1], nowMs, week)).toEqual([oldest - 1]);
    }
  });

  test('accepts nothing before 1970, however long it is', () => {
    expect(acceptedStarts(5n, { retentionMs: 1, futureRetentionMs: 1 })).toEqual({
      startMinNs: 0n,
      startMaxNs: 1_000_005n,
    });
  });
});
