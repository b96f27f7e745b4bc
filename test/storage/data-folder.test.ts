// What stands in the way of the data folder is told by its flag, with what to do.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { makeDataFolder } from '../../src/storage/data-folder.ts';
import { TemporaryFolder } from './open-store.ts';

const refusal = (path: string, disk = nodeDisk): string => {
  try {
    makeDataFolder(disk, path);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'DISK') return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

test('it is created with its parents, and left alone if it is there', () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'a', 'b');
  makeDataFolder(nodeDisk, path);
  expect(statSync(path).isDirectory()).toBe(true);
  makeDataFolder(nodeDisk, path);
});

test('a file, and a path below one', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tracelith-test-'));
  const file = join(dir, 'file');
  writeFileSync(file, 'mine');
  expect(refusal(file)).toBe(`-storageDataPath=${file}: it is a file; name a folder; it is created if it is absent`);
  expect(refusal(join(file, 'x'))).toBe(
    `-storageDataPath=${file}/x: the folder cannot be created (ENOTDIR); a part of the path is a file: name a path of folders`,
  );
  rmSync(dir, { recursive: true });
});

test.each([
  ['EACCES', 'let this user write to /srv, or create the folder and give it to this user'],
  ['EROFS', 'the file system is mounted read-only: mount it for writing, or name a folder of another one'],
  ['ENOSPC', 'the disk is full: free space, or name a folder of another file system'],
  ['EIO', 'name another folder'],
])('the system says %s', (code, way) => {
  const cause = Object.assign(new Error(`${code}: mkdir`), { code });
  const makeDir = (): never => {
    throw new StoreError('DISK', `/srv/data: makeDir failed: ${code}`, { cause });
  };
  const disk = Object.assign(Object.create(nodeDisk) as typeof nodeDisk, { makeDir, stat: () => undefined });
  expect(refusal('/srv/data', disk)).toBe(`-storageDataPath=/srv/data: the folder cannot be created (${code}); ${way}`);
});
