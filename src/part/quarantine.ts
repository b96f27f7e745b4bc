// Puts aside what failed its checksum: the bytes, and beside them a note saying where they were and why. What is put
// aside is never read again by the store; people may look at it, restore from a replica, or delete it.
import { dirname, join, relative } from 'node:path';
import { writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk, ReadFile } from '../disk/disk.ts';

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

/** The same for a range of an open file, or what there is of it. Throws DISK. */
export function quarantineRange(
  disk: Disk,
  path: string,
  range: { readonly file: ReadFile; readonly offset: number; readonly sizeBytes: number; readonly note: string },
): void {
  const { file, offset, note } = range;
  const sizeBytes = Math.max(0, Math.min(range.sizeBytes, file.sizeBytes - offset));
  const bytes = sizeBytes === 0 ? new Uint8Array(0) : file.read(offset, sizeBytes);
  quarantine(disk, path, { path: file.path, offset, bytes, note });
}
