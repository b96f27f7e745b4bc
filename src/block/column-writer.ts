// Collects a block's columns and lays them out in frames, the units of compression and checksum. Small columns share a
// frame, to save headers and compressor start-up. Large columns are split at their seams into several frames, each with
// its own compression statistics. Columns of random bytes have frames of their own. A row group shares no frame with
// another, so reading one reads its frames only.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { CODEC_NONE, compress, type Compression } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { GroupBounds } from './row-group.ts';

interface Column {
  readonly code: number;
  readonly section: number;
  readonly field: number;
  readonly count: number;
  readonly start: number;
  readonly end: number;
  /** Random bytes, which no compressor shrinks: stored uncompressed, in frames of their own. */
  readonly isRandom: boolean;
}

export interface FrameLayout {
  readonly compression: Compression;
  /** The writer closes a frame at the first seam or column end where it has reached this size. */
  readonly frameBytes: number;
}

/** Memory that a writer keeps for the next block: that of some 16 k usual rows. */
const KEPT_BYTES_MAX: number = 4 << 20;

/**
 * The columns of one row group, or those that all groups of a block share. Can be used for block after block: new buffers for each
 * would be most of an encoder's garbage.
 */
export class ColumnWriter {
  readonly out = new ByteWriter(1 << 16);
  readonly columns: Column[] = [];
  #start = 0;

  /** Empties the writer for another block. */
  clear(): void {
    this.out.clear(KEPT_BYTES_MAX);
    this.columns.length = this.#start = 0;
  }

  /** Ends the column whose bytes were written to `out` since the last end(). */
  end(code: number, count: number, options: { section?: number; field?: number; isRandom?: boolean } = {}): void {
    this.columns.push({
      code,
      count,
      section: options.section ?? 0,
      field: options.field ?? 0,
      isRandom: options.isRandom ?? false,
      start: this.#start,
      end: this.out.length,
    });
    this.#start = this.out.length;
  }

  /** Adds the columns to `frames`, those of random bytes first, and their directory entries to `entries`. */
  layOut(frames: FramePacker, entries: ByteWriter): void {
    assert(this.#start === this.out.length, 'bytes behind the last column of a block');
    let random = frames.stored.length;
    for (const { isRandom, start, end } of this.columns) {
      if (isRandom) frames.addRandom(this.out.bytes.subarray(start, end));
    }
    let seam = 0;
    const { seams } = this.out;
    for (const { code, section, field, count, isRandom, start, end } of this.columns) {
      for (const value of [code, section, field, count]) entries.varint(value);
      entries.varint(isRandom ? random++ : frames.stored.length);
      entries.varint(isRandom ? 0 : frames.openBytes);
      entries.varint(end - start);
      let from = start;
      for (; seam < seams.length && seams[seam]! <= end; seam++) {
        if (isRandom || seams[seam]! <= from) continue;
        frames.add(this.out.bytes, from, seams[seam]!);
        from = seams[seam]!;
      }
      if (!isRandom && from < end) frames.add(this.out.bytes, from, end);
    }
    frames.close();
  }
}

/** The columns of a block: those of its groups, and those that several groups share. */
export interface BlockColumns {
  /** Of a block with one group: the writer of that group. */
  readonly shared: ColumnWriter;
  readonly groups: readonly (GroupBounds & { readonly columns: ColumnWriter })[];
}

/**
 * The directory and frames, which follow a block's fixed header. Frames may be views of the writers' memory, valid until they are
 * used again.
 */
export function layOutColumns(
  { shared, groups }: BlockColumns,
  layout: FrameLayout,
): { directory: Uint8Array<ArrayBuffer>; frames: Uint8Array[] } {
  const frames = new FramePacker(layout);
  const entries = new ByteWriter();
  const table = new ByteWriter(512);
  let columnCount = shared.columns.length;
  shared.layOut(frames, entries);
  if (groups.length > 1) {
    for (const { columns, rowCount, traceCount, ...bounds } of groups) {
      columns.layOut(frames, entries);
      columnCount += columns.columns.length;
      for (const count of [rowCount, traceCount, columns.columns.length]) table.varint(count);
      for (const bound of [bounds.startMin, bounds.startMax, bounds.durationMin, bounds.durationMax]) table.f64(bound);
    }
  }
  const directory = new ByteWriter();
  for (const count of [frames.stored.length, columnCount, groups.length]) directory.varint(count);
  for (const piece of [frames.table, table, entries]) directory.raw(piece.view());
  directory.u32(crc32(directory.view()));
  return { directory: directory.take(), frames: frames.stored };
}

/** The bytes of the open frame, of one block after the other. */
const openFrame = new ByteWriter(1024);

class FramePacker {
  readonly stored: Uint8Array[] = [];
  /** The directory entries of the frames. */
  readonly table = new ByteWriter();
  readonly #layout: FrameLayout;
  readonly #open = openFrame;

  constructor(layout: FrameLayout) {
    this.#layout = layout;
    this.#open.clear(KEPT_BYTES_MAX);
  }

  /** Bytes in the open frame, whose number is stored.length. */
  get openBytes(): number {
    return this.#open.length;
  }

  addRandom(bytes: Uint8Array): void {
    this.#add(bytes.length, CODEC_NONE, bytes);
  }

  /** Adds source[start, end) to the open frame; closes the frame when it has reached its size. */
  add(source: Uint8Array, start: number, end: number): void {
    this.#open.rawRange(source, start, end);
    if (this.#open.length >= this.#layout.frameBytes) this.close();
  }

  close(): void {
    if (this.#open.length === 0) return;
    const raw = this.#open.view();
    const { codec, stored } = compress(raw, this.#layout.compression);
    // The next frame overwrites the bytes of this one.
    this.#add(raw.length, codec, stored === raw ? raw.slice() : stored);
    this.#open.length = 0;
  }

  #add(rawBytes: number, codec: number, stored: Uint8Array): void {
    this.stored.push(stored);
    this.table.u8(codec);
    this.table.varint(rawBytes);
    this.table.varint(stored.length);
    this.table.u32(crc32(stored));
  }
}
