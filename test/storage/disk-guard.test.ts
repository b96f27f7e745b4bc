import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { DiskGuard } from '../../src/storage/disk-guard.ts';
import { FakeClock } from '../support/fake-clock.ts';

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
