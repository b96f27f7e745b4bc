// How much of a log file was acknowledged: a file beside it, `<log>.acked`, that each commit adds 12 bytes to before it is
// acknowledged. It is never synced, so it costs a commit some microseconds; what the system still had in memory when power
// failed is missing from it, and it then promises too little, never too much. With it a log that was cut, or whose last block
// is damaged, is told from the torn end of a write that nobody was promised. Layout: docs/format/log.md.
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { Disk, WriteFile } from '../disk/disk.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import type { Identity } from '../part/identity.ts';

export const MARKS_SUFFIX = '.acked';
const RECORD_BYTES = 12;

/** The marks of a log file that is written to. */
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

/** Where what was acknowledged of the log file at `logPath` ends at least; undefined: there are no marks that tell. */
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

/** The checksum covers the log's identity too: the marks of another file say nothing of this one. */
function recordOf(identity: Identity, end: number): Uint8Array {
  const record = Buffer.alloc(RECORD_BYTES);
  record.writeBigUInt64LE(BigInt(end), 0);
  record.writeUInt32LE(crc32(Buffer.concat([Buffer.from(identity, 'hex'), record.subarray(0, 8)])), 8);
  return record;
}

/** A disk that refuses a mark must not fail the commit, which is on disk: without marks a torn end is taken for torn. */
function unlessRefused<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
    return undefined;
  }
}
