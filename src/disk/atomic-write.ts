// Whole small files: read in one piece, replaced in one step. After replaceFile returns, the path durably holds the new
// bytes; after a crash inside it, the path holds the old bytes or the new ones, never a mixture (field.md §5.3).
import { dirname } from 'node:path';
import { StoreError } from '../base/errors.ts';
import type { Disk, DiskReads } from './disk.ts';

/** A crash between create and rename leaves such names behind; code that lists the folder may remove them. */
export const TEMPORARY_SUFFIX = '.tmp';

/** Writes `bytes` as `path`, replacing an older file: temporary file, fsync, rename, fsync of the folder. */
export function replaceFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const temporary = path + TEMPORARY_SUFFIX;
  disk.remove(temporary);
  writeWholeFile(disk, temporary, bytes);
  disk.rename(temporary, path);
  disk.syncDir(dirname(path));
}

/** Creates `path` (it must not exist) with `bytes`, fsynced. Its name is durable only after syncDir of its folder. */
export function writeWholeFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.createFile(path);
  try {
    file.write(bytes);
    file.sync();
  } finally {
    file.close();
  }
}

/** All bytes of `path`. Throws CORRUPTION above `sizeBytesMax`, so that damage cannot cause a huge allocation. */
export function readWholeFile(disk: DiskReads, path: string, sizeBytesMax: number = 1 << 30): Uint8Array<ArrayBuffer> {
  const file = disk.openRead(path);
  try {
    if (file.sizeBytes > sizeBytesMax) {
      throw new StoreError(
        'CORRUPTION',
        `${path}: ${file.sizeBytes} bytes where at most ${sizeBytesMax} are expected; ` +
          'restore it from a snapshot or a replica',
      );
    }
    return file.read(0, file.sizeBytes);
  } finally {
    file.close();
  }
}
