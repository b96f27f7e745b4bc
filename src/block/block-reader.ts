// Reads a block column by column: a frame is checked and decompressed when a column in it is first asked for, so a
// query pays only for what it looks at. The reader holds the block's bytes and touches no disk.
import { StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { decompress } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import { decodeTextList, type Arena } from '../codec/texts.ts';
import * as C from './block-columns.ts';
import { BLOCK_HEADER_SIZE_MIN, BLOCK_SIZE_BYTES_MAX, readBlockHeader, type BlockHeader } from './block-header.ts';

/**
 * Entries of one column. An event takes at least two bytes of a request and requests waiting for a commit have at most
 * limits.pendingWriteBytesMax: an honest block has half as many. It bounds what a wrong count can allocate.
 */
const ENTRIES_MAX: number = 1 << 27;

interface Frame {
  readonly codec: number;
  readonly rawBytes: number;
  readonly crc: number;
  readonly stored: Uint8Array;
  raw: Uint8Array | undefined;
}

export interface ColumnEntry {
  readonly code: number;
  readonly section: number;
  readonly field: number;
  readonly count: number;
  readonly frame: number;
  readonly start: number;
  readonly size: number;
}

/** Text decoded on its own, not into a batch. */
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

  /** `bytes` begins with the block. Throws CORRUPTION when header or directory are damaged. */
  constructor(bytes: Uint8Array) {
    this.header = readBlockHeader(bytes);
    const { sizeBytes, directoryBytes } = this.header;
    if (bytes.length < sizeBytes)
      throw new StoreError('CORRUPTION', `a block of ${sizeBytes} bytes has only ${bytes.length}`);
    checkRows(this.header);
    const directory = bytes.subarray(BLOCK_HEADER_SIZE_MIN, BLOCK_HEADER_SIZE_MIN + directoryBytes);
    const crcAt = directoryBytes - 4;
    if (crcAt < 0 || new ByteReader(directory, crcAt).u32() !== crc32(directory.subarray(0, crcAt))) {
      throw new StoreError('CORRUPTION', 'a block directory fails its checksum');
    }
    const reader = new ByteReader(directory, 0, crcAt);
    const frameCount = reader.varint();
    const columnCount = reader.varint();
    this.#frames = readFrames(reader, frameCount, bytes.subarray(0, sizeBytes), BLOCK_HEADER_SIZE_MIN + directoryBytes);
    this.columns = readColumns(reader, columnCount);
  }

  /** The column's entry, or undefined where the block has none. */
  find(code: number, section = 0, field = 0): ColumnEntry | undefined {
    return this.columns.find((column) => column.code === code && column.section === section && column.field === field);
  }

  /** A cursor over the column's bytes. Throws CORRUPTION when its frame fails the checksum. */
  open(entry: ColumnEntry): ByteReader {
    const raw = this.#frame(entry.frame);
    if (entry.start + entry.size > raw.length)
      throw new StoreError('CORRUPTION', `column ${entry.code} leaves its frame`);
    return new ByteReader(raw, entry.start, entry.start + entry.size);
  }

  /** As find() and open(), for a column every block has. */
  require(code: number): { reader: ByteReader; count: number } {
    const entry = this.find(code);
    if (entry === undefined) throw new StoreError('CORRUPTION', `a block without column ${code}`);
    return { reader: this.open(entry), count: entry.count };
  }

  /** A number column, or an empty one where the block has none. */
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

  /** Codec and bytes of frame number `index`, for people who ask what a block is made of. */
  frameSizes(index: number): { codec: number; rawBytes: number; storedBytes: number } {
    const { codec, rawBytes, stored } = this.#check(index);
    return { codec, rawBytes, storedBytes: stored.length };
  }

  /** Checks every frame's CRC. Throws CORRUPTION naming the first that fails. */
  verify(): void {
    for (let i = 0; i < this.#frames.length; i++) this.#check(i);
  }

  #check(index: number): Frame {
    const frame = this.#frames[index];
    if (frame === undefined)
      throw new StoreError('CORRUPTION', `a column names frame ${index} of ${this.#frames.length}`);
    if (crc32(frame.stored) !== frame.crc)
      throw new StoreError('CORRUPTION', `frame ${index} of a block fails its checksum`);
    return frame;
  }

  #frame(index: number): Uint8Array {
    const known = this.#frames[index]?.raw;
    if (known !== undefined) return known;
    const frame = this.#check(index);
    return (frame.raw = decompress(frame.codec, frame.stored, frame.rawBytes));
  }
}

/** Ids are stored as they are, so rows and traces have a price that the size shows. */
function checkRows({ rowCount, traceCount, sizeBytes }: BlockHeader): void {
  if (traceCount < 1 || traceCount > rowCount || 8 * rowCount + 16 * traceCount > sizeBytes) {
    throw new StoreError('CORRUPTION', `a block of ${sizeBytes} bytes claims ${rowCount} rows, ${traceCount} traces`);
  }
}

function readFrames(reader: ByteReader, count: number, block: Uint8Array, firstAt: number): Frame[] {
  const frames: Frame[] = [];
  let at = firstAt;
  for (let i = 0; i < count; i++) {
    const codec = reader.u8();
    const rawBytes = reader.varint();
    const storedBytes = reader.varint();
    const crc = reader.u32();
    if (rawBytes > BLOCK_SIZE_BYTES_MAX) throw new StoreError('CORRUPTION', `frame ${i} claims ${rawBytes} bytes`);
    if (at + storedBytes > block.length) throw new StoreError('CORRUPTION', `frame ${i} leaves its block`);
    frames.push({ codec, rawBytes, crc, stored: block.subarray(at, at + storedBytes), raw: undefined });
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

/** Checks header, directory and every frame of the block `bytes` begins with. Throws CORRUPTION. */
export function verifyBlock(bytes: Uint8Array): void {
  new BlockReader(bytes).verify();
}

/** 16 bytes a trace, in block order. */
export function readBlockTraceIds(bytes: Uint8Array): Uint8Array {
  return new BlockReader(bytes).traceIds();
}
