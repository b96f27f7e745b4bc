// Finds out what a directory given to a tool is: a data directory, a partition, a snapshot, a backup of several days, an
// archive, or a part. A data directory is locked while a tool works in it, so that no node writes there.
import { basename, dirname, join, resolve } from 'node:path';
import { StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { LOCK_FILE, takeLock, type DirectoryLock } from '../disk/lock.ts';
import { kindOf } from '../disk/walk-files.ts';
import { parseDay } from '../partition/day.ts';
import { ARCHIVE_FOLDER } from '../archive/archive-folder.ts';
import { isPartFolder, isPartitionFolder } from './verify-partition.ts';

export interface FoundPlaces {
  readonly kind: 'data directory' | 'partition' | 'backup' | 'part' | 'archive';
  /** Folders of partitions, or the one part. */
  readonly paths: readonly string[];
  /** Folder of archived traces, if there is one. */
  readonly archive?: string | undefined;
  /** The data directory that contains it; locking it keeps nodes out. undefined: no node can be using it. */
  readonly dataPath: string | undefined;
}

/** Throws INVALID_REQUEST if `path` is none of these. */
export function findPlaces(disk: Disk, path: string): FoundPlaces {
  const full = resolve(path);
  if (kindOf(full) !== 'folder') throw new StoreError('INVALID_REQUEST', `${path}: no such directory`);
  if (kindOf(join(full, 'partitions')) === 'folder') {
    const archive = archiveIn(full);
    return { kind: 'data directory', paths: daysIn(disk, join(full, 'partitions')), archive, dataPath: full };
  }
  if (isPartFolder(disk, full)) return { kind: 'part', paths: [full], dataPath: dataPathOf(dirname(dirname(full))) };
  if (isPartitionFolder(disk, full)) return { kind: 'partition', paths: [full], dataPath: dataPathOf(full) };
  const days = daysIn(disk, full);
  if (days.length > 0) return { kind: 'backup', paths: days, archive: archiveIn(full), dataPath: undefined };
  if (basename(full) === ARCHIVE_FOLDER) return { kind: 'archive', paths: [], archive: full, dataPath: undefined };
  throw new StoreError(
    'INVALID_REQUEST',
    `${path}: neither a data directory nor a partition, snapshot, backup, archive or part; nothing in it is known`,
  );
}

/** Keeps nodes out of the places found. Throws LOCKED, with a remedy, if a node is running there. */
export function lockPlaces(found: FoundPlaces): DirectoryLock | undefined {
  if (found.dataPath === undefined) return undefined;
  return takeLock(found.dataPath);
}

function archiveIn(folder: string): string | undefined {
  const archive = join(folder, ARCHIVE_FOLDER);
  return kindOf(archive) === 'folder' ? archive : undefined;
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
