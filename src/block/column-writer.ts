// Collects a block's columns and lays them out in frames: a frame is the unit of compression and checksum, a column a
// range inside one. Small columns share a frame (headers and compressor start-up would dominate otherwise); large ones
// and those a search never touches have frames of their own, so that a query decodes only what it needs.
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
  /** Random bytes that no compressor shrinks: stored as they are, apart. */
  readonly isRandom: boolean;
}

export interface FrameLayout {
  readonly compression: Compression;
  /** A frame is closed when its columns reach this size. */
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

  /** Directory and frames: what follows a block's fixed header. */
  finish(layout: FrameLayout): { directory: Uint8Array<ArrayBuffer>; frames: Uint8Array[] } {
    const directory = new ByteWriter();
    const entries = new ByteWriter();
    const frames: Uint8Array[] = [];
    let frameCount = 0;
    for (const group of this.#group(layout.frameBytes)) {
      const raw = new ByteWriter(1024);
      for (const column of group) {
        entries.varint(column.code);
        entries.varint(column.section);
        entries.varint(column.field);
        entries.varint(column.count);
        entries.varint(frameCount);
        entries.varint(raw.length);
        entries.varint(column.end - column.start);
        raw.rawRange(this.out.bytes, column.start, column.end);
      }
      const compression = group[0]!.isRandom ? { codec: CODEC_NONE, level: 0 } : layout.compression;
      const { codec, stored } = compress(raw.view(), compression);
      directory.u8(codec);
      directory.varint(raw.length);
      directory.varint(stored.length);
      directory.u32(crc32(stored));
      frames.push(stored);
      frameCount++;
    }
    const frameTable = directory.take();
    directory.varint(frameCount);
    directory.varint(this.#columns.length);
    directory.raw(frameTable);
    directory.raw(entries.view());
    directory.u32(crc32(directory.view()));
    return { directory: directory.take(), frames };
  }

  #group(frameBytes: number): Column[][] {
    const groups: Column[][] = [];
    let open: Column[] = [];
    let openBytes = 0;
    for (const column of this.#columns) {
      if (column.isRandom) {
        groups.push([column]);
        continue;
      }
      open.push(column);
      openBytes += column.end - column.start;
      if (openBytes >= frameBytes) {
        groups.push(open);
        open = [];
        openBytes = 0;
      }
    }
    if (open.length > 0) groups.push(open);
    return groups;
  }
}
