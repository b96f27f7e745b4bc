// What a directory given to a tool is: a data directory, a partition, a snapshot, a backup of several days, a part. A
// data directory is locked while a tool works in it, so that no node writes there meanwhile.
import { basename, dirname, join, resolve } from 'node:path';
import { StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { LOCK_FILE, takeLock, type DirectoryLock } from '../disk/lock.ts';
import { kindOf } from '../disk/walk-files.ts';
import { parseDay } from '../partition/day.ts';
import { isPartFolder, isPartitionFolder } from './verify-partition.ts';

export interface FoundPlaces {
  readonly kind: 'data directory' | 'partition' | 'backup' | 'part';
  /** Folders of partitions, or the one part. */
  readonly paths: readonly string[];
  /** The data directory around it whose lock keeps nodes out; undefined where no node could be. */
  readonly dataPath: string | undefined;
}

/** Throws INVALID_REQUEST when `path` is none of these. */
export function findPlaces(disk: Disk, path: string): FoundPlaces {
  const full = resolve(path);
  if (kindOf(full) !== 'folder') throw new StoreError('INVALID_REQUEST', `${path}: no such directory`);
  if (kindOf(join(full, 'partitions')) === 'folder') {
    return { kind: 'data directory', paths: daysIn(disk, join(full, 'partitions')), dataPath: full };
  }
  if (isPartFolder(disk, full)) return { kind: 'part', paths: [full], dataPath: dataPathOf(dirname(dirname(full))) };
  if (isPartitionFolder(disk, full)) return { kind: 'partition', paths: [full], dataPath: dataPathOf(full) };
  const days = daysIn(disk, full);
  if (days.length > 0) return { kind: 'backup', paths: days, dataPath: undefined };
  throw new StoreError(
    'INVALID_REQUEST',
    `${path}: neither a data directory nor a partition, snapshot, backup or part; nothing in it is known`,
  );
}

/** Keeps nodes out of what was found. Throws LOCKED when one is there, with what to do instead. */
export function lockPlaces(found: FoundPlaces): DirectoryLock | undefined {
  if (found.dataPath === undefined) return undefined;
  return takeLock(found.dataPath);
}

function daysIn(disk: Disk, folder: string): string[] {
  return disk
    .list(folder)
    .filter((name) => parseDay(name) !== undefined && kindOf(join(folder, name)) === 'folder')
    .map((name) => join(folder, name));
}

/** `<data>` for `<data>/partitions/<day>`; a snapshot or a backup has none. */
function dataPathOf(partition: string): string | undefined {
  const folder = dirname(partition);
  const dataPath = dirname(folder);
  return basename(folder) === 'partitions' && kindOf(join(dataPath, LOCK_FILE)) !== undefined ? dataPath : undefined;
}
