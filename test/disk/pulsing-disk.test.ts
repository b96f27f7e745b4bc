// Every call that may take long beats the pulse of its thread, and does what the disk below does.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Pulse } from '../../src/base/pulse.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { pulsingDisk } from '../../src/disk/pulsing-disk.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

test('a walk over files beats with each call, and reads what was written', () => {
  using folder = new TemporaryFolder();
  const pulse = new Pulse();
  const disk = pulsingDisk(nodeDisk, pulse);
  let beats = 0;
  const beating = <T>(action: () => T): T => {
    const result = action();
    expect(Atomics.load(pulse.shared, 0)).toBeGreaterThan(beats);
    beats = Atomics.load(pulse.shared, 0);
    return result;
  };
  const [path, link, moved] = ['a', 'b', 'c'].map((name) => join(folder.path, name)) as [string, string, string];
  const file = disk.createFile(path);
  beating(() => file.write(Uint8Array.of(1, 2, 3)));
  beating(() => file.sync());
  expect(file.sizeBytes).toBe(3);
  beating(() => file.close());
  beating(() => disk.link(path, link));
  beating(() => disk.rename(link, moved));
  beating(() => disk.syncDir(folder.path));
  expect(beating(() => disk.list(folder.path))).toEqual(['a', 'c']);
  expect(beating(() => disk.stat(moved))).toMatchObject({ sizeBytes: 3 });
  const reader = disk.openRead(moved);
  expect(beating(() => reader.read(1, 2))).toEqual(Uint8Array.of(2, 3));
  beating(() => reader.close());
  beating(() => disk.remove(path));
  expect(beating(() => disk.foreign('commit', () => 7))).toBe(7);
  expect(() => disk.openRead(path)).toThrow(path);
});
