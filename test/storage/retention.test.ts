import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { formatDay } from '../../src/partition/day.ts';
import {
  acceptedStarts,
  bytesWithinPercent,
  daysInFuture,
  daysToDrop,
  keptStarts,
  newestDays,
  planSpaceDrops,
  type Drop,
  type StoredDay,
  type StoredPart,
} from '../../src/storage/retention.ts';
import { FakeClock } from '../support/fake-clock.ts';

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

  test('of copied spans accepts the days that it does not drop, whole, whatever the limit of backfill', () => {
    for (let nowMs = 19 * DAY_MS; nowMs <= 21 * DAY_MS; nowMs += DAY_MS / 48) {
      const { startMinNs } = keptStarts(BigInt(nowMs) * 1_000_000n, { ...week, backfillMaxMs: 1 } as typeof week);
      const oldest = Number(startMinNs / 1_000_000n) / DAY_MS;
      expect(daysToDrop([oldest - 1, oldest], nowMs, week)).toEqual([oldest - 1]);
    }
  });

  test('accepts what the shortest of the rules accepts: retention, backfill, tenant', () => {
    const hour = 3_600_000n;
    const oldest = (rules: object, tenantMs?: number): bigint => {
      const { startMinNs } = acceptedStarts(
        9n * hour * 1_000_000n,
        { ...week, retentionMs: 5 * Number(hour), ...rules },
        tenantMs,
      );
      return 9n - startMinNs / 1_000_000n / hour;
    };
    expect([oldest({}), oldest({ backfillMaxMs: 0 }), oldest({ backfillMaxMs: 2 * Number(hour) })]).toEqual([
      5n,
      5n,
      2n,
    ]);
    expect([
      oldest({}, Infinity),
      oldest({}, 3 * Number(hour)),
      oldest({ backfillMaxMs: Number(hour) }, 3 * Number(hour)),
    ]).toEqual([5n, 3n, 1n]);
  });

  test('accepts nothing before 1970, however long it is', () => {
    expect(acceptedStarts(5n, { retentionMs: 1, futureRetentionMs: 1 })).toEqual({
      startMinNs: 0n,
      startMaxNs: 1_000_005n,
    });
  });
});

describe('every form of -retentionPeriod keeps the days it names, to the millisecond', () => {
  // The oldest day that stays at 2026-11-20T12:00Z, and at the midnight after it.
  test.each([
    { period: '86400s', atNoon: '20261119', atMidnight: '20261120' },
    { period: '24h', atNoon: '20261119', atMidnight: '20261120' },
    { period: '1d', atNoon: '20261119', atMidnight: '20261120' },
    { period: '1.5d', atNoon: '20261119', atMidnight: '20261119' },
    { period: '36h1s', atNoon: '20261118', atMidnight: '20261119' },
    { period: '7d', atNoon: '20261113', atMidnight: '20261114' },
    { period: '2w', atNoon: '20261106', atMidnight: '20261107' },
    { period: '1M', atNoon: '20261020', atMidnight: '20261021' },
    { period: '1', atNoon: '20261020', atMidnight: '20261021' },
    { period: '1y', atNoon: '20251120', atMidnight: '20251121' },
  ])('$period', ({ period, atNoon, atMidnight }) => {
    const retention = parseConfig([`-retentionPeriod=${period}`], {});
    const clock = new FakeClock();
    const today = Math.floor(clock.nowMs() / DAY_MS);
    const days = Array.from({ length: 400 }, (_, i) => today - i);
    const oldest = (): string => {
      const dropped = new Set(daysToDrop(days, clock.nowMs(), retention));
      const kept = days.filter((day) => !dropped.has(day));
      expect(dropped.size).toBe(days.filter((day) => day < kept.at(-1)!).length);
      return formatDay(kept.at(-1)!);
    };
    expect(oldest()).toBe(atNoon);
    clock.set(Date.UTC(2026, 10, 21) - 1);
    const before = oldest();
    clock.advance(1);
    expect(oldest()).toBe(atMidnight);
    const isWholeDays = retention.retentionMs % DAY_MS === 0;
    expect(before).toBe(isWholeDays ? atNoon : before);
  });
});

test('a day beyond -futureRetention is told, not dropped: the clock may be the one that is wrong', () => {
  const rules = { retentionMs: 7 * DAY_MS, futureRetentionMs: 2 * DAY_MS };
  const days = [18, 20, 22, 23, 40_000];
  expect(daysInFuture(days, 20 * DAY_MS, rules)).toEqual([23, 40_000]);
  expect(daysInFuture(days, 21 * DAY_MS - 1, rules)).toEqual([23, 40_000]);
  expect(daysInFuture(days, 21 * DAY_MS, rules)).toEqual([40_000]);
  expect(daysToDrop(days, 0, rules)).toEqual([]);
});

describe('the space rules', () => {
  /** A day with an index of 1 byte and parts of these sizes, the oldest first, with ids that go down. */
  const dayOf = (day: number, ...sizes: number[]): StoredDay => ({
    day,
    sizeBytes: 1 + sizes.reduce((sum, size) => sum + size, 0),
    freedBytes: 1 + sizes.reduce((sum, size) => sum + size, 0),
    parts: sizes.map((sizeBytes, i) => ({
      id: String(100 - i),
      logSeqMax: i,
      sizeBytes,
      freedBytes: sizeBytes,
    })),
  });
  /** No day is spared. */
  const EVERY_DAY = { wholeFromDay: Infinity, keptFromDay: Infinity };
  const whole = (day: number): Drop => ({ kind: 'day', day });
  const parts = (day: number, ...ids: number[]): Drop => ({ kind: 'parts', day, ids: ids.map(String) });
  const week = [5, 3, 4, 1, 2].map((day) => dayOf(day, 49, 50));

  test.each([
    { what: 'nothing', days: [], bytesMax: 10, expected: [] },
    { what: 'what fits exactly', days: week, bytesMax: 500, expected: [] },
    { what: 'one byte too many', days: week, bytesMax: 499, expected: [whole(1)] },
    { what: 'two days too many', days: week, bytesMax: 301, expected: [whole(1), whole(2)] },
    { what: 'one day that is too large alone', days: [dayOf(1, 40, 40, 40)], bytesMax: 100, expected: [parts(1, 100)] },
    { what: 'one day, two parts', days: [dayOf(1, 40, 40, 40)], bytesMax: 80, expected: [parts(1, 100, 99)] },
    { what: 'one part that is too large alone', days: [dayOf(1, 400)], bytesMax: 100, expected: [parts(1, 100)] },
    { what: 'no part to drop', days: [dayOf(1)], bytesMax: 0, expected: [whole(1)] },
    {
      what: 'a full day after midnight, when the next day has hardly begun',
      days: [dayOf(1, 40, 40, 20), dayOf(2, 5)],
      bytesMax: 100,
      expected: [parts(1, 100)],
    },
    {
      what: 'old days first, then the oldest parts of the day that is most of it',
      days: [dayOf(3, 60, 60), dayOf(2, 10), dayOf(1, 10)],
      bytesMax: 100,
      expected: [whole(1), whole(2), parts(3, 100)],
    },
    {
      what: 'a full day, and one span from the future',
      days: [dayOf(10, 60, 50), dayOf(12, 1)],
      bytesMax: 100,
      expected: [parts(10, 100)],
    },
  ])('$what at a limit of $bytesMax', ({ days, bytesMax, expected }) => {
    expect(planSpaceDrops(days, { bytesMax, ...EVERY_DAY })).toEqual(expected);
  });

  test('parts go as they arrived, whatever their ids and sizes', () => {
    const made = (id: number, logSeqMax: number): StoredPart => ({
      id: String(id),
      logSeqMax,
      sizeBytes: 10,
      freedBytes: 10,
    });
    const day = {
      day: 1,
      sizeBytes: 40,
      freedBytes: 40,
      parts: [made(1, 9), made(2, 3), made(4, 3), made(3, 2 ** 50)],
    };
    expect(planSpaceDrops([day], { bytesMax: 10, ...EVERY_DAY })).toEqual([parts(1, 2, 4, 1)]);
  });

  test('spare the newest two days as wholes, and what a snapshot keeps on disk', () => {
    const rule = { bytesMax: 10, wholeFromDay: newestDays([5, 3, 4, 1, 2, 900], 6), keptFromDay: Infinity };
    expect(rule.wholeFromDay).toBe(4);
    const drops = planSpaceDrops(week, rule);
    expect(drops).toEqual([whole(1), whole(2), whole(3), parts(4, 100, 99), parts(5, 100, 99)]);
    // Day 1 is in a snapshot but for its index, day 2 but for one part.
    const kept = week.map((day) => {
      if (day.day > 2) return day;
      const linked = day.parts.map((part, i) => ({ ...part, freedBytes: day.day === 2 && i === 1 ? 50 : 0 }));
      return { ...day, freedBytes: day.day === 2 ? 51 : 1, parts: linked };
    });
    expect(planSpaceDrops(kept, { ...rule, bytesMax: 499 })).toEqual([whole(2)]);
    expect(planSpaceDrops(kept, { ...rule, bytesMax: 400 })).toEqual([whole(2), whole(3)]);
    const all = week.map((day) => ({
      ...day,
      freedBytes: 1,
      parts: day.parts.map((part) => ({ ...part, freedBytes: 0 })),
    }));
    expect(planSpaceDrops(all, rule)).toEqual([]);
  });

  test('nothing of the newest two days goes in the place of older spans that a snapshot keeps', () => {
    const rule = { bytesMax: 100, wholeFromDay: 4, keptFromDay: Infinity };
    const linked = (day: StoredDay, count: number): StoredDay => ({
      ...day,
      parts: day.parts.map((part, i) => (i < count ? { ...part, freedBytes: 0 } : part)),
    });
    // A snapshot of all that there was when it was taken: what came behind it is all that a drop would free.
    expect(planSpaceDrops([linked(dayOf(5, 60, 60, 60), 2)], rule)).toEqual([]);
    expect(planSpaceDrops([linked(dayOf(5, 60, 60, 60), 0)], rule)).toEqual([parts(5, 100, 99)]);
    expect(planSpaceDrops([linked(dayOf(4, 60), 1), dayOf(5, 60, 60)], rule)).toEqual([]);
    // A snapshot of an old day alone does not end retention by space among the old days.
    const days = [linked(dayOf(1, 60, 60), 2), dayOf(2, 60, 60), dayOf(4, 60), dayOf(5, 60)];
    expect(planSpaceDrops(days, rule)).toEqual([whole(2)]);
  });

  test.each([
    { days: [], today: 9, first: 9 },
    { days: [7], today: 9, first: 7 },
    { days: [7, 8, 3], today: 9, first: 7 },
    { days: [7, 8, 3, 20], today: 8, first: 7 },
    { days: [20, 21], today: 8, first: 8 },
  ])('of $days the newest two begin with $first, on day $today', ({ days, today, first }) => {
    expect(newestDays(days, today)).toBe(first);
  });

  test('leave the days alone that they are told to keep, even when it does not fit then', () => {
    expect(planSpaceDrops(week, { bytesMax: 10, ...EVERY_DAY, keptFromDay: 3 })).toEqual([whole(1), whole(2)]);
  });

  test('leave no more than the limit, never a newer day before an older one', () => {
    for (let bytesMax = 0; bytesMax <= 500; bytesMax++) {
      const drops = planSpaceDrops(week, { bytesMax, ...EVERY_DAY });
      expect(drops.map((drop) => drop.day)).toEqual(drops.map((_, i) => i + 1));
      const gone = drops.reduce((sum, drop) => sum + (drop.kind === 'day' ? 100 : bytesOf(drop.ids)), 0);
      // What no rule drops is the index of a day whose parts are all gone.
      expect(500 - gone).toBeLessThanOrEqual(Math.max(bytesMax, 5));
    }
    function bytesOf(ids: readonly string[]): number {
      return ids.reduce((sum, id) => sum + (id === '100' ? 49 : 50), 0);
    }
  });

  test.each([
    { percent: 80, freeBytes: 200, expected: 500 },
    { percent: 80, freeBytes: 100, expected: 400 },
    { percent: 50, freeBytes: 0, expected: 0 },
    { percent: 10, freeBytes: 0, expected: 0 },
    { percent: 100, freeBytes: 0, expected: 500 },
  ])('of 500 bytes on a disk of 1000, $freeBytes free, $expected may stay for $percent percent', (row) => {
    expect(bytesWithinPercent(500, row.percent, { freeBytes: row.freeBytes, totalBytes: 1_000 })).toBe(row.expected);
  });
});
