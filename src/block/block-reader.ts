// Reads a block column by column. It reads, checks and decompresses a frame when a column in it is first opened, so a
// query pays only for the columns it uses. The caller supplies the bytes: from memory, or as ranges of a file.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { CODEC_NONE, decompress } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import { freeBytes } from '../bytes/free-bytes.ts';
import type { Texts } from '../codec/text-forms.ts';
import { openTextList, type PickableTexts } from '../codec/pick-texts.ts';
import { decodeTextList, type Arena } from '../codec/texts.ts';
import * as C from './block-columns.ts';
import { BLOCK_HEADER_SIZE_MIN, BLOCK_SIZE_BYTES_MAX, readBlockHeader, type BlockHeader } from './block-header.ts';
import { ColumnIndex, GroupReader, type ColumnEntry, type GroupedBlock } from './group-reader.ts';
import {
  NO_TEMPLATES,
  readTemplateHeads,
  readTemplates,
  type StoredHeads,
  type StoredTemplates,
} from './read-templates.ts';
import type { GroupBounds } from './row-group.ts';

/**
 * Bounds what a wrong count can allocate. An event takes at least two bytes of a request, and requests waiting for a
 * commit hold at most limits.intakeBytesMax: a valid column has at most half as many entries.
 */
const ENTRIES_MAX: number = 1 << 27;

/** The bytes of a block, range by range. */
export interface BlockBytes {
  readonly sizeBytes: number;
  /** `sizeBytes` bytes from `offset`, which lie inside the block. All of a buffer belongs to the caller; a part of one does not. */
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

const NO_TEXTS: Texts = { bytes: new Uint8Array(0), a: new Uint32Array(0), b: new Uint32Array(0) };

const NO_PICKABLE: PickableTexts = openTextList(new ByteReader(Uint8Array.of(0, 0, 0)), 0);

export class BlockReader implements GroupedBlock {
  readonly header: BlockHeader;
  /** All columns: those that the groups share, then those of each group. */
  readonly columns: readonly ColumnEntry[];
  /** In the order of their rows. */
  readonly groups: readonly GroupReader[];
  /** The columns that the groups share; of a block with one group: all. */
  readonly sharedEntries: readonly ColumnEntry[];
  readonly #shared: ColumnIndex;
  readonly #frames: readonly Frame[];
  readonly #bytes: BlockBytes;
  #meter: ByteMeter | undefined;
  #rawBytes = 0;
  /** What is decoded once and kept: text lists by column, and templates by section. */
  readonly #lists = new Map<ColumnEntry, Texts>();
  readonly #pickable = new Map<ColumnEntry, PickableTexts>();
  readonly #templates: (StoredTemplates | undefined)[] = [];
  #keptBytes = 0;

  /** `bytes` begins with the block. Throws CORRUPTION when header or directory are damaged. */
  constructor(bytes: Uint8Array | BlockBytes) {
    this.#bytes = bytes instanceof Uint8Array ? memoryBytes(bytes) : bytes;
    const available = this.#bytes.sizeBytes;
    const first = this.#bytes.read(0, Math.min(FIRST_READ_BYTES, available));
    this.header = readBlockHeader(first);
    const { sizeBytes, directoryBytes, version } = this.header;
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
    const groupCount = version === 1 ? 1 : reader.varint();
    this.#frames = readFrames(reader, frameCount, { firstAt: directoryEnd, blockBytes: sizeBytes });
    const places = groupCount === 1 ? undefined : readGroups(reader, groupCount, this.header);
    this.columns = readColumns(reader, columnCount);
    if (places === undefined) {
      this.sharedEntries = this.columns;
      this.#shared = new ColumnIndex(this.columns);
      const whole = { bounds: this.header, firstTrace: 0, entries: this.columns, index: this.#shared };
      this.groups = [new GroupReader(this, whole)];
      return;
    }
    let from = columnCount - places.reduce((sum, place) => sum + place.columnCount, 0);
    if (from < 0) throw new StoreError('CORRUPTION', 'the groups of a block have more columns than it');
    this.sharedEntries = this.columns.slice(0, from);
    this.#shared = new ColumnIndex(this.sharedEntries);
    let firstTrace = 0;
    this.groups = places.map(({ columnCount: own, ...bounds }) => {
      const group = new GroupReader(this, { bounds, firstTrace, entries: this.columns.slice(from, from + own) });
      from += own;
      firstTrace += bounds.traceCount;
      return group;
    });
  }

  /** Bytes of the frames kept decompressed, and of what is kept decoded. */
  get keptBytes(): number {
    return this.#rawBytes + this.#keptBytes;
  }

  keep(bytes: number): void {
    this.#keptBytes += bytes;
  }

  /** Frames and columns in the directory. */
  get entryCount(): number {
    return this.#frames.length + this.columns.length;
  }

  /** Whether a frame is compressed with `codec`. */
  usesCodec(codec: number): boolean {
    return this.#frames.some((frame) => frame.codec === codec);
  }

  /** From now on, counts the bytes read on `meter`. */
  charge(meter: ByteMeter): this {
    this.#meter = meter;
    return this;
  }

  /** The entry of a column that the groups share; undefined if the block has no such column. */
  find(code: number, section = 0, field = 0): ColumnEntry | undefined {
    return this.#shared.find(code, section, field);
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

  /**
   * A text list that the groups share: strings, resources, scopes, constants, or (COLUMN_DISTINCT) the distinct values of
   * a field; empty if the block has none. Decoded once.
   */
  list(code: number, section = 0, field = 0): Texts {
    const entry = this.find(code, section, field);
    if (entry === undefined) return NO_TEXTS;
    let list = this.#lists.get(entry);
    if (list === undefined) {
      const arena = new TextArena();
      const { a, b } = decodeTextList(this.open(entry), entry.count, arena);
      list = { bytes: arena.arena.slice(0, arena.arenaLength), a, b };
      this.#keptBytes += arena.arenaLength + 8 * a.length;
      this.#lists.set(entry, list);
    }
    return list;
  }

  /** As list(), for single texts: none is printed. Opened once. */
  pickable(code: number, section = 0, field = 0): PickableTexts {
    const entry = this.find(code, section, field);
    if (entry === undefined) return NO_PICKABLE;
    let texts = this.#pickable.get(entry);
    if (texts === undefined) {
      texts = openTextList(this.open(entry), entry.count);
      this.#keptBytes += 12 * entry.count;
      this.#pickable.set(entry, texts);
    }
    return texts;
  }

  /** The templates of a section. Decoded once. */
  templates(section: number): StoredTemplates {
    let templates = this.#templates[section];
    if (templates === undefined) {
      const entry = this.find(C.COLUMN_TEMPLATES + section);
      templates = entry === undefined ? NO_TEMPLATES : readTemplates(this.open(entry), section, entry.count);
      this.#keptBytes += templates.sizeBytes;
      this.#templates[section] = templates;
    }
    return templates;
  }

  /** The heads of the templates of a section, for callers that need no fields. */
  templateHeads(section: number): StoredHeads {
    const known = this.#templates[section];
    if (known !== undefined) return known;
    const entry = this.find(C.COLUMN_TEMPLATES + section);
    return entry === undefined ? NO_TEMPLATES : readTemplateHeads(this.open(entry), section, entry.count);
  }

  /** 16 bytes a trace, in block order. A view. */
  traceIds(): Uint8Array {
    const entry = this.find(C.COLUMN_TRACE_IDS);
    const { traceCount } = this.header;
    if (entry?.count !== traceCount)
      throw new StoreError(
        'CORRUPTION',
        `column ${C.COLUMN_TRACE_IDS} has ${entry?.count ?? 'no'} entries, not ${traceCount}`,
      );
    return this.open(entry).view(traceCount * 16);
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

  /**
   * Frees what is kept decompressed. Nothing that was read of this block may be used any more: lists that pickable() opened
   * and ids are views of it.
   */
  release(): void {
    for (const frame of this.#frames) {
      // Stored as it is, a frame is a view of what was read.
      if (frame.raw !== undefined && frame.codec !== CODEC_NONE) freeBytes(frame.raw);
    }
  }

  /**
   * Reads the frames of the columns `entries` that are not read yet, in one piece with those between them, and checks and
   * decompresses them. Throws CORRUPTION.
   */
  load(entries: readonly ColumnEntry[]): void {
    let first = this.#frames.length;
    let last = -1;
    for (const entry of entries) {
      if (entry.size === 0) continue;
      let end = entry.frame;
      for (let left = entry.start + entry.size; left > 0; end++) left -= this.#frameAt(end).rawBytes;
      first = Math.min(first, entry.frame);
      last = Math.max(last, end - 1);
    }
    while (first <= last && this.#frames[first]!.raw !== undefined) first++;
    while (first <= last && this.#frames[last]!.raw !== undefined) last--;
    if (first > last) return;
    const { offset } = this.#frames[first]!;
    const end = this.#frames[last]!;
    const stored = this.#bytes.read(offset, end.offset + end.storedBytes - offset);
    for (let index = first; index <= last; index++) {
      const from = this.#frames[index]!.offset - offset;
      if (this.#frames[index]!.raw === undefined)
        this.#keep(index, stored.subarray(from, from + this.#frames[index]!.storedBytes));
    }
    this.#spend(stored, this.#frames.slice(first, last + 1));
  }

  /** The frame as stored, after its checksum is verified. */
  #stored(index: number): Uint8Array {
    const { offset, storedBytes } = this.#frames[index]!;
    const stored = this.#bytes.read(offset, storedBytes);
    assert(stored.length === storedBytes, 'a read of a block gave other bytes than it was asked for');
    this.#check(index, stored);
    return stored;
  }

  #check(index: number, stored: Uint8Array): void {
    const frame = this.#frames[index]!;
    if (crc32(stored) !== frame.crc) throw new StoreError('CORRUPTION', `frame ${index} of a block fails its checksum`);
    frame.isChecked = true;
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
    const stored = this.#stored(index);
    const raw = this.#keep(index, stored);
    this.#spend(stored, [frame]);
    return raw;
  }

  /** Frees what was read of `frames`, unless one of them is stored as it is and so a view of it. */
  #spend(stored: Uint8Array, frames: readonly Frame[]): void {
    if (frames.every(({ codec }) => codec !== CODEC_NONE)) freeBytes(stored);
  }

  /** Keeps a frame decompressed. */
  #keep(index: number, stored: Uint8Array): Uint8Array {
    const frame = this.#frames[index]!;
    if (!frame.isChecked) this.#check(index, stored);
    frame.raw = decompress(frame.codec, stored, frame.rawBytes);
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

interface GroupPlace extends GroupBounds {
  readonly columnCount: number;
}

function readGroups(reader: ByteReader, count: number, { rowCount, traceCount }: BlockHeader): GroupPlace[] {
  if (count > traceCount || count < 1) throw new StoreError('CORRUPTION', `${count} groups of ${traceCount} traces`);
  const groups: GroupPlace[] = [];
  let rows = 0;
  let traces = 0;
  for (let i = 0; i < count; i++) {
    const counts = { rowCount: reader.varint(), traceCount: reader.varint(), columnCount: reader.varint() };
    const starts = { startMin: reader.f64(), startMax: reader.f64() };
    const group = { ...counts, ...starts, durationMin: reader.f64(), durationMax: reader.f64() };
    if (group.traceCount < 1 || group.traceCount > group.rowCount)
      throw new StoreError('CORRUPTION', `a group of ${group.traceCount} traces in ${group.rowCount} rows`);
    rows += group.rowCount;
    traces += group.traceCount;
    groups.push(group);
  }
  if (rows !== rowCount || traces !== traceCount)
    throw new StoreError(
      'CORRUPTION',
      `groups of ${rows} rows and ${traces} traces in a block of ${rowCount} and ${traceCount}`,
    );
  return groups;
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
