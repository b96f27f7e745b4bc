import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { isTrash, Trash } from '../../src/storage/trash.ts';
import { TemporaryFolder } from './open-store.ts';

function makeDay(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'data'), 'x');
  return path;
}

test('a folder taken leaves its name at once, its files when it is emptied, and nothing else goes', async () => {
  using folder = new TemporaryFolder();
  const trash = new Trash(nodeDisk, folder.path);
  const path = makeDay(folder.path, '20261120');
  makeDay(folder.path, '20261121');
  trash.take(path);
  makeDay(folder.path, '20261120');
  trash.take(path);
  expect(nodeDisk.list(folder.path).filter(isTrash)).toHaveLength(2);
  await Promise.all([trash.empty(), trash.empty()]);
  expect(nodeDisk.list(folder.path)).toEqual(['20261121']);
});

test('what the disk refuses to remove keeps the rest from nothing, and goes the next time', async () => {
  using folder = new TemporaryFolder();
  let refused = 1;
  const disk: Disk = {
    ...nodeDisk,
    removeAsync: async (path) => {
      if (refused-- > 0) throw new StoreError('DISK', 'refused');
      await nodeDisk.removeAsync(path);
    },
  };
  const trash = new Trash(disk, folder.path);
  for (const name of ['20261120', '20261121']) trash.take(makeDay(folder.path, name));
  await expect(trash.empty()).rejects.toMatchObject({ code: 'DISK' });
  expect(nodeDisk.list(folder.path)).toHaveLength(1);
  await trash.empty();
  expect(nodeDisk.list(folder.path)).toEqual([]);
});

test('a rename that was not made durable is made so by the next attempt', () => {
  using folder = new TemporaryFolder();
  let syncs = 0;
  const disk: Disk = {
    ...nodeDisk,
    syncDir: () => {
      if (syncs++ === 0) throw new StoreError('DISK', 'refused');
    },
  };
  const trash = new Trash(disk, folder.path);
  const path = makeDay(folder.path, '20261120');
  expect(() => trash.take(path)).toThrow('refused');
  trash.take(path);
  expect(syncs).toBe(2);
});
