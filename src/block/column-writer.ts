// Collects a block's columns and lays them out in frames, the units of compression and checksum. Small columns share a
// frame, to save headers and compressor start-up. Large columns are split at their seams into several frames, each with
// its own compression statistics. Columns of random bytes have frames of their own.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { CODEC_NONE, compress, type Compression } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';

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

export class ColumnWriter {
  readonly out = new ByteWriter(1 << 16);
  readonly #columns: Column[] = [];
  #start = 0;

  /** Ends the column whose bytes were written to `out` since the last end(). */
  end(code: number, count: number, options: { section?: number; field?: number; isRandom?: boolean } = {}): void {
    this.#columns.push({
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

  /** The directory and frames, which follow a block's fixed header. Frames of random bytes come first. */
  finish(layout: FrameLayout): { directory: Uint8Array<ArrayBuffer>; frames: Uint8Array[] } {
    assert(this.#start === this.out.length, 'bytes behind the last column of a block');
    const frames = new FramePacker(layout);
    for (const { isRandom, start, end } of this.#columns) {
      if (isRandom) frames.addRandom(this.out.bytes.subarray(start, end));
    }
    const entries = new ByteWriter();
    let randoms = 0;
    let seam = 0;
    for (const { code, section, field, count, isRandom, start, end } of this.#columns) {
      for (const value of [code, section, field, count]) entries.varint(value);
      entries.varint(isRandom ? randoms++ : frames.stored.length);
      entries.varint(isRandom ? 0 : frames.openBytes);
      entries.varint(end - start);
      const { seams } = this.out;
      let from = start;
      for (; seam < seams.length && seams[seam]! <= end; seam++) {
        if (isRandom || seams[seam]! <= from) continue;
        frames.add(this.out.bytes, from, seams[seam]!);
        from = seams[seam]!;
      }
      if (!isRandom && from < end) frames.add(this.out.bytes, from, end);
    }
    frames.close();
    const directory = new ByteWriter();
    directory.varint(frames.stored.length);
    directory.varint(this.#columns.length);
    directory.raw(frames.table.view());
    directory.raw(entries.view());
    directory.u32(crc32(directory.view()));
    return { directory: directory.take(), frames: frames.stored };
  }
}

class FramePacker {
  readonly stored: Uint8Array[] = [];
  /** The directory entries of the frames. */
  readonly table = new ByteWriter();
  readonly #layout: FrameLayout;
  readonly #open = new ByteWriter(1024);

  constructor(layout: FrameLayout) {
    this.#layout = layout;
  }

  /** Bytes in the open frame, whose number is stored.length. */
  get openBytes(): number {
    return this.#open.length;
  }

  addRandom(bytes: Uint8Array): void {
    this.#store(bytes, { codec: CODEC_NONE, level: 0 });
  }

  /** Adds source[start, end) to the open frame; closes the frame when it has reached its size. */
  add(source: Uint8Array, start: number, end: number): void {
    this.#open.rawRange(source, start, end);
    if (this.#open.length >= this.#layout.frameBytes) this.close();
  }

  close(): void {
    if (this.#open.length > 0) this.#store(this.#open.take(), this.#layout.compression);
  }

  #store(raw: Uint8Array, compression: Compression): void {
    const { codec, stored } = compress(raw, compression);
    this.stored.push(stored);
    this.table.u8(codec);
    this.table.varint(raw.length);
    this.table.varint(stored.length);
    this.table.u32(crc32(stored));
  }
}
