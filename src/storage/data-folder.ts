// The folder of -storageDataPath at the start: created if it is absent. What stands in the way is the first thing that a new user
// meets, so it is told by the flag, with what to do.
import { dirname, resolve } from 'node:path';
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { errnoOf } from '../disk/node-disk.ts';

/** Creates the folder durably if it is absent. Throws DISK. */
export function makeDataFolder(disk: Disk, path: string): void {
  const found = disk.stat(path);
  if (found?.isDirectory === true) return;
  if (found !== undefined) throw refuse(path, 'it is a file', 'name a folder; it is created if it is absent');
  try {
    disk.makeDir(path);
    disk.syncDir(dirname(path));
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
    const code = errnoOf(error);
    const way = WAYS[code]?.(resolve(path)) ?? 'name another folder';
    throw refuse(path, `the folder cannot be created${code === '' ? '' : ` (${code})`}`, way, error);
  }
}

const asAdmin = (path: string): string =>
  `let this user write to ${dirname(path)}, or create the folder and give it to this user`;

const WAYS: Readonly<Record<string, (path: string) => string>> = {
  ENOTDIR: () => 'a part of the path is a file: name a path of folders',
  ENOENT: () => 'nothing can be created there: name a folder of a file system for data',
  EACCES: asAdmin,
  EPERM: asAdmin,
  EROFS: () => 'the file system is mounted read-only: mount it for writing, or name a folder of another one',
  ENOSPC: () => 'the disk is full: free space, or name a folder of another file system',
};

function refuse(path: string, what: string, way: string, cause?: StoreError): StoreError {
  return new StoreError('DISK', `-storageDataPath=${path}: ${what}; ${way}`, { cause });
}
