import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { DiskGuard } from '../../src/storage/disk-guard.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('the disk guard looks once a second, also after the clock was set back', () => {
  const clock = new FakeClock();
  let looks = 0;
  const disk = { ...nodeDisk, freeBytes: () => (looks++, 99) };
  const guard = new DiskGuard({
    disk,
    clock,
    path: '/data',
    freeDiskBytesMin: 100,
    diskBytesMax: 0,
    logBytes: () => 0,
  });
  for (let i = 0; i < 10; i++) expect(guard.isReadOnly).toBe(true);
  expect(looks).toBe(1);
  clock.advance(-3_600_000);
  expect(() => guard.assertWritable()).toThrow('/data: 99 bytes free, -storage.minFreeDiskSpaceBytes asks for 100');
  expect(looks).toBe(2);
});

test('the disk guard of a node that is to take nothing refuses, however much room there is', () => {
  const disk = { ...nodeDisk, freeBytes: () => 1_000, totalBytes: () => 2_000 };
  const given = { disk, clock: new FakeClock(), path: '/data', freeDiskBytesMin: 100, diskBytesMax: 0 };
  const guard = new DiskGuard({ ...given, logBytes: () => 0, isReadOnly: true });
  expect([guard.isReadOnly, guard.freeBytes > 0]).toEqual([true, true]);
  expect(() => guard.assertWritable()).toThrow('/data: this node only answers queries (-storage.readOnly)');
});

test('the disk guard keeps room for the flush of the logs, beside what the flag asks for', () => {
  const clock = new FakeClock();
  let logBytes = 0;
  const disk = { ...nodeDisk, freeBytes: () => 1_000, totalBytes: () => 2_000 };
  const guard = new DiskGuard({
    disk,
    clock,
    path: '/data',
    freeDiskBytesMin: 100,
    diskBytesMax: 0,
    logBytes: () => logBytes,
  });
  const isReadOnly = (bytes: number): boolean => {
    logBytes = bytes;
    return guard.isReadOnly;
  };
  // What the logs have grown by since the look is not free any more either.
  expect([0, 400, 401, 300].map(isReadOnly)).toEqual([false, false, true, false]);
  logBytes = 2_000;
  clock.advance(1_000);
  expect(() => guard.assertWritable()).toThrow('/data: 1000 bytes free, the next flush needs 3000; free space');
});

test('what merges reserve is taken from the room of the next one until they are done', () => {
  const disk = { ...nodeDisk, freeBytes: () => 1_000, totalBytes: () => 2_000 };
  const guard = new DiskGuard({
    disk,
    clock: new FakeClock(),
    path: '/data',
    freeDiskBytesMin: 100,
    diskBytesMax: 0,
    logBytes: () => 0,
  });
  expect(guard.freeBytes).toBe(900);
  {
    using _first = guard.reserve(300);
    expect(guard.freeBytes).toBe(600);
    using _second = guard.reserve(700);
    expect(guard.freeBytes).toBe(0);
  }
  expect(guard.freeBytes).toBe(900);
});
