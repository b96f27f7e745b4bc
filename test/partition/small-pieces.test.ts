// Days, pins, the order of actions: what the partition is made of that needs no files.
import { describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import { formatDay, parseDay } from '../../src/partition/day.ts';
import { logFileName, parseLogFileName } from '../../src/partition/log-file.ts';
import { Pinned } from '../../src/partition/pinned.ts';
import { Serial } from '../../src/partition/serial.ts';
import { dayFilter } from '../../src/partition/snapshot.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';

describe('a day', () => {
  test.each([
    [0, '19700101'],
    [59, '19700301'],
    [20_777, '20261120'],
    [11_016, '20000229'],
  ])('%d is named %s', (day, name) => {
    expect(formatDay(day)).toBe(name);
    expect(parseDay(name)).toBe(day);
  });

  test.each(['', '2026112', '20261131', '20261301', '2026-1-1', '20261120.dropped', 'lost+found'])('is not %j', (name) => {
    expect(parseDay(name)).toBeUndefined();
  });
});

test.each(['1.log', '0000000000000001', '000000000000000g.log', 'x'])('a log file is not named %j', (name) => {
  expect(parseLogFileName(name)).toBeUndefined();
  expect(parseLogFileName(logFileName(77))).toBe(77);
});

describe('what is pinned', () => {
  test('is removed when it is doomed and the last pin is gone', () => {
    let removed = 0;
    const pinned = new Pinned(() => removed++);
    pinned.pin();
    pinned.pin();
    pinned.doom();
    pinned.unpin();
    expect(removed).toBe(0);
    pinned.unpin();
    expect(removed).toBe(1);
    expect(() => pinned.pin()).toThrow(BugError);
  });

  test('is removed at once when nobody reads it, and a disk that refuses is no error', () => {
    const pinned = new Pinned(() => {
      throw new StoreError('DISK', 'refused');
    });
    pinned.doom();
    expect(() => pinned.doom()).toThrow(BugError);
    expect(() => pinned.unpin()).toThrow(BugError);
  });
});

test('serial actions run one after the other, whatever became of the one before', async () => {
  const serial = new Serial();
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = serial.run(async () => {
    await gate.promise;
    seen.push('first');
    throw new Error('failed');
  });
  const second = serial.run(async () => seen.push('second'));
  gate.resolve();
  await expect(first).rejects.toThrow('failed');
  await second;
  await serial.idle();
  expect(seen).toEqual(['first', 'second']);
});

describe('the filter of a day', () => {
  const dayNs = 86_400_000_000_000n;
  test.each([
    { what: 'a day before', min: 19n * dayNs, max: 20n * dayNs - 1n, expected: undefined },
    { what: 'its first nanosecond', min: 0n, max: 20n * dayNs, expected: [-20 * 86_400e9, 0] },
    { what: 'its last nanosecond', min: 21n * dayNs - 1n, max: 2n ** 64n, expected: [86_400e9 - 1, Number(2n ** 64n - 20n * dayNs)] },
    { what: 'a day after', min: 21n * dayNs, max: 22n * dayNs, expected: undefined },
  ])('of $what', ({ min, max, expected }) => {
    const filter = dayFilter(DEFAULT_TENANT, 20, { startMinNs: min, startMaxNs: max });
    expect(filter && [filter.startMin, filter.startMax]).toEqual(expected);
  });

  test('ignores times when trace ids are asked', () => {
    const filter = dayFilter(DEFAULT_TENANT, 20, { startMinNs: 0n, startMaxNs: 1n, traceIds: [new Uint8Array(16)] });
    expect(filter).toMatchObject({ startMin: -Infinity, startMax: Infinity });
    expect(filter?.traceKeys).toHaveLength(1);
  });
});
