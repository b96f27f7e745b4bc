// Puts aside what is damaged: the bytes, and beside them a note saying where they were and why. What is put aside is never
// read again by the store; people may look at it, restore from a replica, or delete it, the folder too. Nothing damaged is
// removed from its own place before it is here.
import { randomBytes } from 'node:crypto';
import { dirname, join, relative } from 'node:path';
import { readWholeFile, writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';

/** Where in the store damage was met, and what it is: as threads tell each other. */
export interface DamagedPlace {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly message: string;
}

/**
 * Copies what there is of `place` with its note into the folder `path` (`<data path>/quarantine`); of a file that is gone
 * only the note. Damage found twice is kept once. Throws DISK: nothing is put aside then.
 */
export function quarantine(disk: Disk, path: string, place: DamagedPlace): void {
  const name = `${nameOf(path, place.path)}-${place.offset}`;
  quarantineBytes(disk, path, { name, bytes: bytesAt(disk, place), note: place.message });
}

/** Writes `bytes` as `name` with its note. Throws DISK. */
export function quarantineBytes(
  disk: Disk,
  path: string,
  { name, bytes, note }: { readonly name: string; readonly bytes: Uint8Array; readonly note: string },
): void {
  makeFolder(disk, path);
  let file = join(path, name);
  if (disk.stat(`${file}.txt`) !== undefined) {
    if (holds(disk, file, bytes)) return;
    // Of other bytes that were damaged there: a part that was restored, a file of format 1 in a day begun anew.
    file = join(path, randomName(name));
  }
  // The note is written last: a piece without one was cut short by a crash, and is written again.
  disk.remove(file);
  writeWholeFile(disk, file, bytes);
  writeNote(disk, file, note);
}

function holds(disk: Disk, file: string, bytes: Uint8Array): boolean {
  if (disk.stat(file)?.sizeBytes !== bytes.length) return false;
  return Buffer.compare(readWholeFile(disk, file), bytes) === 0;
}

/** Moves a file or folder of the store here as it is, which takes no space. Throws DISK. */
export function moveToQuarantine(disk: Disk, path: string, moved: { path: string; message: string }): void {
  makeFolder(disk, path);
  const file = join(path, randomName(nameOf(path, moved.path)));
  disk.rename(moved.path, file);
  disk.syncDir(dirname(moved.path));
  writeNote(disk, file, moved.message);
}

function writeNote(disk: Disk, file: string, message: string): void {
  writeWholeFile(disk, `${file}.txt`, Buffer.from(`${message}\n`, 'utf8'));
  disk.syncDir(dirname(file));
}

function makeFolder(disk: Disk, path: string): void {
  if (disk.stat(path) !== undefined) return;
  disk.makeDir(path);
  disk.syncDir(dirname(path));
}

/** Place inside the data directory. */
function nameOf(path: string, damaged: string): string {
  return relative(dirname(path), damaged).replaceAll('/', '-');
}

function randomName(name: string): string {
  return `${name}-${randomBytes(8).toString('hex')}`;
}

function bytesAt(disk: Disk, { path, offset, sizeBytes }: DamagedPlace): Uint8Array {
  const fileBytes = disk.stat(path)?.sizeBytes ?? 0;
  if (fileBytes <= offset || sizeBytes === 0) return new Uint8Array(0);
  const file = disk.openRead(path);
  try {
    return file.read(offset, Math.min(sizeBytes, fileBytes - offset));
  } finally {
    file.close();
  }
}
