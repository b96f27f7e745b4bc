// The pure rules of the storage: what is accepted, what is dropped, what the ledger says.
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { DiskGuard } from '../../src/storage/disk-guard.ts';
import { Ledger } from '../../src/storage/ledger.ts';
import { acceptedStarts, daysToDrop } from '../../src/storage/retention.ts';
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

  test('accepts nothing before 1970, however long it is', () => {
    expect(acceptedStarts(5n, { retentionMs: 1, futureRetentionMs: 1 })).toEqual({ startMinNs: 0n, startMaxNs: 1_000_005n });
  });
});

test('the ledger balances after every answer', () => {
  const ledger = new Ledger();
  ledger.addAnswered({ stored: 5, rejected: new Map([['too_large', 2]]) }, 100);
  ledger.addAnswered({ stored: 0, rejected: new Map([['too_large', 1], ['invalid_span_id', 4]]) }, 10);
  ledger.addMalformed();
  expect(ledger.stats()).toEqual({
    rowsReceived: 12,
    rowsStored: 5,
    rowsRejected: { too_large: 3, invalid_span_id: 4 },
    requestsMalformed: 1,
    bytesReceived: 110,
  });
});

test('the disk guard looks once a second, also after the clock was set back', () => {
  const clock = new FakeClock();
  let looks = 0;
  const disk = { ...nodeDisk, freeBytes: () => (looks++, 99) };
  const guard = new DiskGuard({ disk, clock, path: '/data', freeDiskBytesMin: 100 });
  for (let i = 0; i < 10; i++) expect(guard.isReadOnly).toBe(true);
  expect(looks).toBe(1);
  clock.advance(-3_600_000);
  expect(() => guard.assertWritable()).toThrow('/data: 99 bytes free, -storage.minFreeDiskSpaceBytes asks for 100');
  expect(looks).toBe(2);
});
