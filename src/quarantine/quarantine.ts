// Copies damaged bytes into the quarantine folder, with a note that says where they were and why. The store never reads
// them again; people may look at them, restore from a replica, or delete them, the folder included. Nothing damaged is
// removed from its own place before its copy is here.
import { randomBytes } from 'node:crypto';
import { dirname, join, relative } from 'node:path';
import { readWholeFile, writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';

/** The place and nature of damage, as threads report it to each other. */
export interface DamagedPlace {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly message: string;
}

/**
 * Copies the existing bytes of `place` and a note into the folder `path` (`<data path>/quarantine`); for a missing file
 * only the note. The same damage is kept once. Throws DISK: then nothing is in quarantine.
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
    // Other bytes were damaged at this place: a restored part, or a format 1 file in a day created again.
    file = join(path, randomName(name));
  }
  // The note is written last, so a file without a note was cut short by a crash: write it again.
  disk.remove(file);
  writeWholeFile(disk, file, bytes);
  writeNote(disk, file, note);
}

function holds(disk: Disk, file: string, bytes: Uint8Array): boolean {
  if (disk.stat(file)?.sizeBytes !== bytes.length) return false;
  return Buffer.compare(readWholeFile(disk, file), bytes) === 0;
}

/** Moves a file or folder of the store into quarantine, which takes no space. Throws DISK. */
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

/** The file name in quarantine, made from the place inside the data directory. */
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
