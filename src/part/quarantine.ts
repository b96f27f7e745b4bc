// Puts aside what failed its checksum: the bytes, and beside them a note saying where they were and why. What is put
// aside is never read again by the store; people may look at it, restore from a replica, or delete it.
import { dirname, join, relative } from 'node:path';
import { writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';

export interface DamagedPiece {
  /** The file it was found in, and where; together they name the copy, so that damage found twice is kept once. */
  readonly path: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Where it was, and what is wrong. */
  readonly note: string;
}

/** Where in the store damage was met, and what it is: as threads tell each other. */
export interface DamagedPlace {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly message: string;
}

/** Copies `piece` with its note into the folder `path` (`<data path>/quarantine`, which exists). Throws DISK. */
export function quarantine(disk: Disk, path: string, piece: DamagedPiece): void {
  const place = relative(dirname(path), piece.path).replaceAll('/', '-');
  const file = join(path, `${place}-${piece.offset}`);
  if (disk.stat(`${file}.txt`) !== undefined) return;
  // The note is written last: a piece without one was cut short by a crash, and is written again.
  disk.remove(file);
  writeWholeFile(disk, file, piece.bytes);
  writeWholeFile(disk, `${file}.txt`, Buffer.from(`${piece.note}\n`, 'utf8'));
  disk.syncDir(path);
}

/** The same for what there still is at `place`: of a file that is gone only the note. Throws DISK. */
export function quarantinePlace(disk: Disk, path: string, place: DamagedPlace): void {
  const { offset, message: note } = place;
  quarantine(disk, path, { path: place.path, offset, bytes: bytesAt(disk, place), note });
}

function bytesAt(disk: Disk, { path, offset, sizeBytes }: DamagedPlace): Uint8Array {
  const fileBytes = disk.stat(path)?.sizeBytes ?? 0;
  if (fileBytes <= offset) return new Uint8Array(0);
  const file = disk.openRead(path);
  try {
    return file.read(offset, Math.min(sizeBytes, fileBytes - offset));
  } finally {
    file.close();
  }
}
