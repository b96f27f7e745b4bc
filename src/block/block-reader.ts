// Reads a block column by column. It reads, checks and decompresses a frame when a column in it is first opened, so a
// query pays only for the columns it uses. The caller supplies the bytes: from memory, or as ranges of a file.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { decompress } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import { decodeTextList, type Arena } from '../codec/texts.ts';
import * as C from './block-columns.ts';
import { BLOCK_HEADER_SIZE_MIN, BLOCK_SIZE_BYTES_MAX, readBlockHeader, type BlockHeader } from './block-header.ts';

/**
 * Bounds what a wrong count can allocate. An event takes at least two bytes of a request, and requests waiting for a
 * commit hold at most limits.intakeBytesMax: a valid column has at most half as many entries.
 */
const ENTRIES_MAX: number = 1 << 27;

/** The bytes of a block, range by range. */
export interface BlockBytes {
  readonly sizeBytes: number;
  /** `sizeBytes` bytes from `offset`, which lie inside the block. */
  read(offset: number, sizeBytes: number): Uint8Array;
}

/** Sums the stored bytes that one user of a reader has read. A frame counts once, even if another user fetched it. */
export interface ByteMeter {
  bytes: number;
}

interface Frame {
  readonly codec: number;
  readonly rawBytes: number;
  readonly crc: number;
  readonly offset: number;
  readonly storedBytes: number;
  isChecked: boolean;
  raw: Uint8Array | undefined;
  meter: ByteMeter | undefined;
}

/** Holds the header and directory of nearly every block, so one read is enough. */
const FIRST_READ_BYTES: number = 4 << 10;

export interface ColumnEntry {
  readonly code: number;
  readonly section: number;
  readonly field: number;
  readonly count: number;
  readonly frame: number;
  readonly start: number;
  readonly size: number;
}

/** Holds text that is decoded outside of any batch. */
export class TextArena implements Arena {
  arena = new Uint8Array(1 << 12);
  arenaLength = 0;

  appendArena(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    const at = this.arenaLength;
    const need = at + end - start;
    if (need > this.arena.length) {
      const grown = new Uint8Array(Math.max(need, this.arena.length * 2));
      grown.set(this.arena.subarray(0, at));
      this.arena = grown;
    }
    this.arena.set(bytes.subarray(start, end), at);
    this.arenaLength = need;
    return at;
  }
}

export class BlockReader {
  readonly header: BlockHeader;
  readonly columns: readonly ColumnEntry[];
  readonly #frames: readonly Frame[];
  readonly #bytes: BlockBytes;
  #meter: ByteMeter | undefined;
  #rawBytes = 0;

  /** `bytes` begins with the block. Throws CORRUPTION when header or directory are damaged. */
  constructor(bytes: Uint8Array | BlockBytes) {
    this.#bytes = bytes instanceof Uint8Array ? memoryBytes(bytes) : bytes;
    const available = this.#bytes.sizeBytes;
    const first = this.#bytes.read(0, Math.min(FIRST_READ_BYTES, available));
    this.header = readBlockHeader(first);
    const { sizeBytes, directoryBytes } = this.header;
    if (available < sizeBytes)
      throw new StoreError('CORRUPTION', `a block of ${sizeBytes} bytes has only ${available}`);
    checkRows(this.header);
    const directoryEnd = BLOCK_HEADER_SIZE_MIN + directoryBytes;
    const directory = (directoryEnd <= first.length ? first : this.#bytes.read(0, directoryEnd)).subarray(
      BLOCK_HEADER_SIZE_MIN,
      directoryEnd,
    );
    const crcAt = directoryBytes - 4;
    if (crcAt < 0 || new ByteReader(directory, crcAt).u32() !== crc32(directory.subarray(0, crcAt))) {
      throw new StoreError('CORRUPTION', 'a block directory fails its checksum');
    }
    const reader = new ByteReader(directory, 0, crcAt);
    const frameCount = reader.varint();
    const columnCount = reader.varint();
    this.#frames = readFrames(reader, frameCount, { firstAt: directoryEnd, blockBytes: sizeBytes });
    this.columns = readColumns(reader, columnCount);
  }

  /** Bytes of the frames kept decompressed. */
  get rawBytes(): number {
    return this.#rawBytes;
  }

  /** Frames and columns in the directory. */
  get entryCount(): number {
    return this.#frames.length + this.columns.length;
  }

  /** From now on, counts the bytes read on `meter`. */
  charge(meter: ByteMeter): this {
    this.#meter = meter;
    return this;
  }

  /** The column's entry; undefined if the block has no such column. */
  find(code: number, section = 0, field = 0): ColumnEntry | undefined {
    return this.columns.find((column) => column.code === code && column.section === section && column.field === field);
  }

  /** A cursor over the column's bytes. Throws CORRUPTION when one of the column's frames fails its checksum. */
  open(entry: ColumnEntry): ByteReader {
    const end = entry.start + entry.size;
    if (entry.size === 0) return new ByteReader(new Uint8Array(0));
    const raw = this.#frame(entry.frame);
    return end <= raw.length ? new ByteReader(raw, entry.start, end) : this.#join(entry, raw);
  }

  /** Joins the bytes of a column that spans several frames. */
  #join(entry: ColumnEntry, first: Uint8Array): ByteReader {
    const pieces = [first.subarray(entry.start)];
    let left = entry.size - pieces[0]!.length;
    for (let frame = entry.frame + 1; left > 0; frame++) {
      const piece = this.#frame(frame).subarray(0, left);
      left -= piece.length;
      pieces.push(piece);
    }
    return new ByteReader(Buffer.concat(pieces));
  }

  /** As find() and open(), for a column that every block has. */
  require(code: number): { reader: ByteReader; count: number } {
    const entry = this.find(code);
    if (entry === undefined) throw new StoreError('CORRUPTION', `a block without column ${code}`);
    return { reader: this.open(entry), count: entry.count };
  }

  /** A number column; empty if the block has none. */
  numbers(code: number): Float64Array {
    const entry = this.find(code);
    return entry === undefined ? new Float64Array(0) : decodeNumbers(this.open(entry), entry.count);
  }

  /** A text list (strings, resources, scopes, constants). */
  texts(code: number, arena: Arena): { a: Uint32Array; b: Uint32Array } {
    const entry = this.find(code);
    if (entry === undefined) return { a: new Uint32Array(0), b: new Uint32Array(0) };
    return decodeTextList(this.open(entry), entry.count, arena);
  }

  /** 16 bytes a trace, in block order. A view. */
  traceIds(): Uint8Array {
    return this.#fixed(C.COLUMN_TRACE_IDS, 16, this.header.traceCount);
  }

  /** A column of fixed-size entries (ids). A view. */
  fixed(code: number, sizeBytes: number): Uint8Array {
    const entry = this.find(code);
    return entry === undefined ? new Uint8Array(0) : this.open(entry).view(entry.count * sizeBytes);
  }

  #fixed(code: number, sizeBytes: number, count: number): Uint8Array {
    const column = this.require(code);
    if (column.count !== count)
      throw new StoreError('CORRUPTION', `column ${code} has ${column.count} entries, not ${count}`);
    return column.reader.view(count * sizeBytes);
  }

  /**
   * The codec of the frame in which the column begins (undefined: the column is empty), and the column's share of the
   * stored bytes of its frames. For reports on what takes space in a block.
   */
  storedShare(entry: ColumnEntry): { codec: number | undefined; storedBytes: number } {
    let storedBytes = 0;
    let { start } = entry;
    let left = entry.size;
    for (let frame = entry.frame; left > 0; frame++) {
      const { rawBytes, storedBytes: frameBytes } = this.#frameAt(frame);
      this.#stored(frame);
      const inside = Math.min(left, rawBytes - start);
      storedBytes += (frameBytes * inside) / rawBytes;
      left -= inside;
      start = 0;
    }
    return { codec: entry.size === 0 ? undefined : this.#frameAt(entry.frame).codec, storedBytes };
  }

  /** Checks the CRC of every frame not checked yet. Throws CORRUPTION naming the first frame that fails. */
  verify(): void {
    this.#frames.forEach((frame, index) => {
      if (!frame.isChecked) this.#stored(index);
    });
  }

  /** The frame as stored, after its checksum is verified. */
  #stored(index: number): Uint8Array {
    const frame = this.#frames[index]!;
    const { offset, storedBytes, crc } = frame;
    const stored = this.#bytes.read(offset, storedBytes);
    assert(stored.length === storedBytes, 'a read of a block gave other bytes than it was asked for');
    if (crc32(stored) !== crc) throw new StoreError('CORRUPTION', `frame ${index} of a block fails its checksum`);
    frame.isChecked = true;
    return stored;
  }

  #frameAt(index: number): Frame {
    const frame = this.#frames[index];
    if (frame === undefined)
      throw new StoreError('CORRUPTION', `a column names frame ${index} of ${this.#frames.length}`);
    return frame;
  }

  #frame(index: number): Uint8Array {
    const frame = this.#frameAt(index);
    if (this.#meter !== undefined && frame.meter !== this.#meter) {
      frame.meter = this.#meter;
      this.#meter.bytes += frame.storedBytes;
    }
    if (frame.raw !== undefined) return frame.raw;
    frame.raw = decompress(frame.codec, this.#stored(index), frame.rawBytes);
    this.#rawBytes += frame.raw.length;
    return frame.raw;
  }
}

/** Ids are stored uncompressed, so the block's size limits how many rows and traces it can hold. */
function checkRows({ rowCount, traceCount, sizeBytes }: BlockHeader): void {
  if (traceCount < 1 || traceCount > rowCount || 8 * rowCount + 16 * traceCount > sizeBytes) {
    throw new StoreError('CORRUPTION', `a block of ${sizeBytes} bytes claims ${rowCount} rows, ${traceCount} traces`);
  }
}

function memoryBytes(bytes: Uint8Array): BlockBytes {
  return { sizeBytes: bytes.length, read: (offset, sizeBytes) => bytes.subarray(offset, offset + sizeBytes) };
}

function readFrames(reader: ByteReader, count: number, place: { firstAt: number; blockBytes: number }): Frame[] {
  const frames: Frame[] = [];
  let at = place.firstAt;
  for (let i = 0; i < count; i++) {
    const codec = reader.u8();
    const rawBytes = reader.varint();
    const storedBytes = reader.varint();
    const crc = reader.u32();
    if (rawBytes > BLOCK_SIZE_BYTES_MAX) throw new StoreError('CORRUPTION', `frame ${i} claims ${rawBytes} bytes`);
    if (at + storedBytes > place.blockBytes) throw new StoreError('CORRUPTION', `frame ${i} leaves its block`);
    frames.push({ codec, rawBytes, crc, offset: at, storedBytes, isChecked: false, raw: undefined, meter: undefined });
    at += storedBytes;
  }
  return frames;
}

function readColumns(reader: ByteReader, count: number): ColumnEntry[] {
  const columns: ColumnEntry[] = [];
  for (let i = 0; i < count; i++) {
    const entry = {
      code: reader.varint(),
      section: reader.varint(),
      field: reader.varint(),
      count: reader.varint(),
      frame: reader.varint(),
      start: reader.varint(),
      size: reader.varint(),
    };
    if (entry.count > ENTRIES_MAX)
      throw new StoreError('CORRUPTION', `column ${entry.code} claims ${entry.count} entries`);
    columns.push(entry);
  }
  return columns;
}

/** Checks the header, directory and every frame of the block at the start of `bytes`. Throws CORRUPTION. */
export function verifyBlock(bytes: Uint8Array): void {
  new BlockReader(bytes).verify();
}

/** 16 bytes a trace, in block order. */
export function readBlockTraceIds(bytes: Uint8Array): Uint8Array {
  return new BlockReader(bytes).traceIds();
}
