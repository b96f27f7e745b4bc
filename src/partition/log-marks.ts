// How much of a log file was acknowledged: each commit adds 12 bytes to a file beside it, `<log>.acked`, before it is
// acknowledged. The marks are never synced, so they cost a commit only microseconds; after a power failure the newest may
// be missing, so they promise too little, never too much. They distinguish a log that was cut, or whose last block is
// damaged, from one that ends in a torn, never acknowledged write. Layout: docs/format/log.md.
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { Disk, WriteFile } from '../disk/disk.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import type { Identity } from '../part/identity.ts';

export const MARKS_SUFFIX = '.acked';
const RECORD_BYTES = 12;

/** The marks of a log file that is being written. */
export class LogMarks {
  readonly #identity: Identity;
  #file: WriteFile | undefined;
  #end = 0;

  constructor(disk: Disk, logPath: string, identity: Identity) {
    this.#identity = identity;
    this.#file = unlessRefused(() => disk.createFile(logPath + MARKS_SUFFIX));
  }

  /** Everything before `end` is about to be acknowledged. */
  add(end: number): void {
    assert(end > this.#end, `a mark at ${end} after one at ${this.#end}`);
    this.#end = end;
    const file = this.#file;
    if (file === undefined) return;
    const isWritten = unlessRefused(() => (file.write(recordOf(this.#identity, end)), true));
    if (isWritten !== true) this.close();
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    unlessRefused(() => file?.close());
  }
}

/** The log file at `logPath` was acknowledged at least up to this offset; undefined: no valid marks. */
export function readMarks(disk: Disk, logPath: string, identity: Identity): number | undefined {
  const path = logPath + MARKS_SUFFIX;
  if (disk.stat(path) === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = readWholeFile(disk, path);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = bytes.length - (bytes.length % RECORD_BYTES) - RECORD_BYTES; at >= 0; at -= RECORD_BYTES) {
    const end = Number(view.getBigUint64(at, true));
    if (Buffer.compare(bytes.subarray(at, at + RECORD_BYTES), recordOf(identity, end)) === 0) return end;
  }
  return undefined;
}

/** The checksum covers the log's identity too, so marks of another log file are not valid for this one. */
function recordOf(identity: Identity, end: number): Uint8Array {
  const record = Buffer.alloc(RECORD_BYTES);
  record.writeBigUInt64LE(BigInt(end), 0);
  record.writeUInt32LE(crc32(Buffer.concat([Buffer.from(identity, 'hex'), record.subarray(0, 8)])), 8);
  return record;
}

/** A disk that refuses a mark must not fail the commit, which is on disk. Without marks, recovery judges the end by its block headers. */
function unlessRefused<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
    return undefined;
  }
}
