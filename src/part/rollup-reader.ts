// Reads the `rollups` file of a part: the directory at opening, frames on demand. A failed checksum is CORRUPTION; the
// query then counts the day's calls from its spans.
import { join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { decompress } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { DiskReads, ReadFile } from '../disk/disk.ts';
import type { Tenant } from '../trace/tenant.ts';
import { fileHeaderSize, PART_ROLLUPS_FORMAT, readFileHeader, readHeaderBytes } from './format-version.ts';
import { ROLLUPS_FILE } from './part-writer.ts';
import { FrameReader } from './rollup-frame.ts';
import { ROLLUP_TRAILER_SIZE, type Slice } from './rollup-writer.ts';

/** A frame ends above 64 KiB, and one series of an hour has at most some 200 KB. A larger length is itself damage. */
const FRAME_BYTES_MAX: number = 1 << 24;

export interface RollupFrame extends Slice {
  /** The run of the frame; the frames of a run are in order. */
  readonly run: number;
  readonly offset: number;
  readonly codec: number;
  readonly rawBytes: number;
  readonly storedBytes: number;
  readonly crc: number;
}

/** Opens the roll-ups of the part in folder `path`. Throws CORRUPTION, also if it has none; FORMAT_TOO_NEW, DISK. */
export function openRollups(disk: DiskReads, path: string): RollupReader {
  const name = join(path, ROLLUPS_FILE);
  if (disk.stat(name) === undefined)
    throw new StoreError('CORRUPTION', `${name}: missing; a merge of the whole day writes it`);
  const file = disk.openRead(name);
  try {
    return new RollupReader(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

export class RollupReader {
  /** In file order. */
  readonly frames: readonly RollupFrame[];
  readonly #file: ReadFile;

  /** Reads the directory of `file` and takes ownership of it. Throws CORRUPTION, FORMAT_TOO_NEW, DISK. */
  constructor(file: ReadFile) {
    this.#file = file;
    const identity = readFileHeader(PART_ROLLUPS_FORMAT, readHeaderBytes(file), file.path);
    this.frames = readDirectory(file, fileHeaderSize(identity));
  }

  close(): void {
    this.#file.close();
  }

  /** Throws CORRUPTION, DISK. */
  open(frame: RollupFrame): FrameReader {
    return new FrameReader(decompress(frame.codec, this.#stored(frame), frame.rawBytes));
  }

  /** Checks a frame. Throws CORRUPTION, DISK. */
  verify(frame: RollupFrame): void {
    this.#stored(frame);
  }

  /** Checks every frame. Throws CORRUPTION, DISK. */
  verifyAll(): void {
    for (const frame of this.frames) this.#stored(frame);
  }

  #stored(frame: RollupFrame): Uint8Array {
    const stored = this.#file.read(frame.offset, frame.storedBytes);
    if (crc32(stored) !== frame.crc) damaged(this.#file, `the frame at byte ${frame.offset} fails its checksum`);
    return stored;
  }
}

function readDirectory(file: ReadFile, start: number): RollupFrame[] {
  const trailerAt = file.sizeBytes - ROLLUP_TRAILER_SIZE;
  if (trailerAt < start) damaged(file, 'it is cut off');
  const trailer = new ByteReader(file.read(trailerAt, ROLLUP_TRAILER_SIZE));
  const offset = trailer.u32() + trailer.u32() * 2 ** 32;
  if (offset < start || offset > trailerAt) damaged(file, 'its trailer is damaged');
  const bytes = file.read(offset, trailerAt - offset);
  if (trailer.u32() !== crc32(bytes)) damaged(file, 'its directory fails its checksum');
  const reader = new ByteReader(bytes);
  const frames: RollupFrame[] = [];
  let at = start;
  for (let left = reader.count(18); left > 0; left--) {
    const frame = readFrame(reader, at);
    at += frame.storedBytes;
    if (at > offset || frame.rawBytes > FRAME_BYTES_MAX) damaged(file, `frame ${frames.length} leaves it`);
    frames.push(frame);
  }
  if (at !== offset) damaged(file, `${offset - at} bytes are of no frame`);
  return frames;
}

function readFrame(reader: ByteReader, offset: number): RollupFrame {
  return {
    run: reader.varint(),
    tenant: `${reader.u32()}:${reader.u32()}` as Tenant,
    table: reader.u8(),
    hour: reader.u8(),
    codec: reader.u8(),
    rawBytes: reader.varint(),
    storedBytes: reader.varint(),
    crc: reader.u32(),
    offset,
  };
}

function damaged(file: ReadFile, what: string): never {
  throw new StoreError(
    'CORRUPTION',
    `${file.path}: ${what}; calls of the day are counted from its spans until a merge of the whole day`,
  );
}
