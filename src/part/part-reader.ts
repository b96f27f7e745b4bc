// Reads a part: its metadata when it is opened, its blocks and its trace lookup on demand. A part never changes, so any
// thread may read a pinned one. A failed checksum is CORRUPTION with the place in the message. It affects one block:
// the rest of the part stays readable.
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import { BlockReader, verifyBlock } from '../block/block-reader.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { crc32 } from '../bytes/crc32.ts';
import { FuseFilter } from '../codec/fuse-filter.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { DiskReads, ReadFile } from '../disk/disk.ts';
import { orClosed } from '../disk/give-up.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import {
  blocksStart,
  fileHeaderSize,
  PART_DATA_FORMAT,
  PART_FILTERS_FORMAT,
  PART_TRACES_FORMAT,
  readFileHeader,
  readHeaderBytes,
  type FileFormat,
} from './format-version.ts';
import { decodeOutlines, type PartOutlines } from './outlines.ts';
import { decodePartMetadata, type PartMetadata } from './part-metadata.ts';
import { DATA_FILE, FILTERS_FILE, METADATA_FILE, TRACES_FILE } from './part-writer.ts';
import { openRollups, type RollupReader } from './rollup-reader.ts';
import {
  LookupCursor,
  lookUpTrace,
  lookUpTraces,
  needsMost,
  type LookupPages,
  type TraceProbes,
} from './trace-lookup.ts';
import { TraceSets } from './trace-set.ts';

/** 56 bytes a block of some 16 k rows: a part of 10^9 rows has 3.5 MB. A larger length is itself damage. */
const METADATA_BYTES_MAX = 1 << 28;

/** Where a block lies in a file. */
export interface BlockRange {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** The metadata of the part in folder `path`. Throws CORRUPTION when it or a file's length is wrong, FORMAT_TOO_NEW. */
export function readPartMetadata(disk: DiskReads, path: string): PartMetadata {
  const metadata = decodeMetadata(disk, path);
  checkLength(disk, join(path, DATA_FILE), metadata.dataBytes);
  return metadata;
}

/** The metadata without a check of the other files; undefined when it is unreadable. Throws FORMAT_TOO_NEW. */
export function decodedMetadata(disk: DiskReads, path: string): PartMetadata | undefined {
  try {
    return decodeMetadata(disk, path);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return undefined;
  }
}

function decodeMetadata(disk: DiskReads, path: string): PartMetadata {
  const file = join(path, METADATA_FILE);
  if (disk.stat(file) === undefined)
    throw new StoreError('CORRUPTION', `${file}: missing; it is rebuilt from the part's data`);
  return decodePartMetadata(readWholeFile(disk, file, METADATA_BYTES_MAX), file);
}

/** Opens the part in folder `path`; `budget` bounds its cached filters. Throws CORRUPTION, FORMAT_TOO_NEW, DISK. */
export function openPart(disk: DiskReads, path: string, budget?: MemoryBudget): PartReader {
  return new PartReader(disk, path, readPartMetadata(disk, path), budget);
}

const DAMAGED = Symbol('damaged');

/** Making a set costs some ten lookups of all pages: not worth it for a part that is merged after a few flushes. */
const SET_PAGES_MIN = 32;

/** Trace sets of the parts in which this thread has searched. */
const traceSets = new TraceSets();

/** A memory limit that several readers share. */
export class MemoryBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Returns false and takes nothing if fewer than `bytes` are left. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Opens a file of blocks. Throws DISK, FORMAT_TOO_NEW, CORRUPTION when its header does not match its path. */
export function openBlocks(disk: DiskReads, path: string, format: FileFormat): ReadFile {
  return orClosed(disk.openRead(path), (file) => blocksStart(format, file));
}

/** The block at `range` of `file`, every checksum verified. Throws CORRUPTION with the place in the message. */
export function readBlockAt(file: ReadFile, range: BlockRange): Uint8Array<ArrayBuffer> {
  const bytes = file.read(range.offset, range.sizeBytes);
  withPlace(file.path, range, () => verifyBlock(bytes));
  return bytes;
}

/** Runs `work` on the block at `range`; adds the place to the message of a CORRUPTION. */
export function withPlace<T>(path: string, range: BlockRange, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION')) throw error;
    const place = `${path}: block at byte ${range.offset}, ${range.sizeBytes} bytes`;
    throw new StoreError('CORRUPTION', `${place}: ${error.message}`, { cause: error });
  }
}

export class PartReader implements Disposable {
  readonly path: string;
  readonly metadata: PartMetadata;
  readonly #disk: DiskReads;
  #data: ReadFile | undefined;
  #traces: ReadFile | undefined;
  #filtersOpen: ReadFile | undefined;
  #outlines: PartOutlines | typeof DAMAGED | undefined;
  readonly #filters: (FuseFilter | typeof DAMAGED | undefined)[] = [];
  #filterStarts: Float64Array | undefined;
  #filterBytes = 0;
  readonly #budget: MemoryBudget;
  #rollups: RollupReader | undefined;
  #isClosed = false;

  /** Prefer openPart; call this when the metadata is already read. Files are opened on first use. */
  constructor(
    disk: DiskReads,
    path: string,
    metadata: PartMetadata,
    budget: MemoryBudget = new MemoryBudget(Infinity),
  ) {
    this.#disk = disk;
    this.#budget = budget;
    this.path = path;
    this.metadata = metadata;
  }

  /**
   * Numbers, ascending, of the blocks that may hold the trace `traceId` (16 bytes), of any tenant. If the lookup is
   * damaged, all blocks: the answer is then slower but exact.
   */
  findTrace(traceId: Uint8Array): number[] {
    return this.#lookUp((pages) => lookUpTrace(pages, traceId));
  }

  /** As findTrace for many traces at once. */
  findTraces(probes: TraceProbes): number[] {
    return this.#lookUp((pages) => lookUpTraces(pages, this.#worthLookingUp(pages, probes)));
  }

  /** Removes the traces that are surely not in the part, if that is cheaper than looking all of them up. */
  #worthLookingUp(pages: LookupPages, probes: TraceProbes): Pick<TraceProbes, 'keys'> {
    const { identity, blocks } = this.metadata;
    if (identity === undefined) return probes;
    const isWorthMaking = pages.fences.length >= SET_PAGES_MIN && needsMost(pages, probes.keys.length);
    if (!isWorthMaking && !traceSets.has(identity)) return probes;
    const entries = blocks.reduce((sum, { traceCount }) => sum + traceCount, 0);
    const set = traceSets.find(identity, entries, (made) => {
      for (const entry = new LookupCursor(pages); entry.next();) made.add(entry.key);
    });
    return set === undefined ? probes : { keys: probes.keys.filter((key) => set.mayHave(key)) };
  }

  #lookUp(find: (pages: LookupPages) => number[]): number[] {
    const found = this.#unlessDamaged(() => find(this.lookup()));
    return Array.isArray(found) ? found : this.metadata.blocks.map((_, block) => block);
  }

  /** The trace lookup. Throws DISK, CORRUPTION. */
  lookup(): LookupPages {
    const { identity, fences } = this.metadata;
    const file = (this.#traces ??= this.#openFile(TRACES_FILE, PART_TRACES_FORMAT));
    return { file, start: fileHeaderSize(identity), fences };
  }

  /** Counts of calls by minute. Throws DISK; CORRUPTION, also when the part has none. */
  rollups(): RollupReader {
    this.#assertOpen();
    return (this.#rollups ??= openRollups(this.#disk, this.path));
  }

  /**
   * Filter of block number `block`, which excludes most terms that the block does not have. undefined when it is
   * damaged or missing: the answer is then slower but exact.
   */
  filter(block: number): FuseFilter | undefined {
    let filter = this.#filters[block];
    if (filter === undefined) {
      filter = this.#readFilter(block);
      if (filter === undefined) return undefined;
      const { filterBytes } = this.metadata.blocks[block]!;
      if (this.#budget.take(filterBytes)) {
        this.#filters[block] = filter;
        this.#filterBytes += filterBytes;
      }
    }
    return filter === DAMAGED ? undefined : filter;
  }

  /** Returns the memory of the filters to the budget; they are read again on next use. */
  dropFilters(): void {
    this.#budget.give(this.#filterBytes);
    this.#filterBytes = 0;
    this.#filters.length = 0;
  }

  #readFilter(block: number): FuseFilter | typeof DAMAGED | undefined {
    return this.#unlessDamaged(() => {
      const bytes = this.#storedFilter(block);
      return bytes === undefined ? DAMAGED : new FuseFilter(bytes);
    });
  }

  /** Bytes of the filter of block number `block` as they are stored; undefined when they are damaged or missing. */
  filterBytes(block: number): Uint8Array | undefined {
    const bytes = this.#unlessDamaged(() => this.#storedFilter(block));
    return bytes === DAMAGED ? undefined : bytes;
  }

  /** undefined: they fail their checksum. */
  #storedFilter(block: number): Uint8Array | undefined {
    this.#filterStarts ??= filterStarts(this.metadata);
    const { filterBytes } = this.metadata.blocks[block]!;
    const bytes = this.#filtersFile().read(this.#filterStarts[block]!, filterBytes + 4);
    const filter = bytes.subarray(0, filterBytes);
    return new ByteReader(bytes, filterBytes).u32() === crc32(filter) ? filter : undefined;
  }

  /** Outlines of the blocks; undefined when they are damaged: the answer is then slower but exact. */
  outlines(): PartOutlines | undefined {
    if (this.#outlines === undefined) {
      const outlines = this.#unlessDamaged(() => {
        const file = this.#filtersFile();
        return decodeOutlines(
          file.read(fileHeaderSize(this.metadata.identity), outlinesBytes(this.metadata)),
          file.path,
        );
      });
      if (outlines === undefined) return undefined;
      const isWhole = outlines !== DAMAGED && outlines.operationIds.starts.length === this.metadata.blocks.length + 1;
      this.#outlines = isWhole ? outlines : DAMAGED;
    }
    return this.#outlines === DAMAGED ? undefined : this.#outlines;
  }

  /** Throws DISK, FORMAT_TOO_NEW, CORRUPTION when its header is damaged or another part's. */
  #openFile(name: string, format: FileFormat): ReadFile {
    this.#assertOpen();
    return orClosed(this.#disk.openRead(join(this.path, name)), (file) =>
      readFileHeader(format, readHeaderBytes(file), file.path),
    );
  }

  #filtersFile(): ReadFile {
    return (this.#filtersOpen ??= this.#openFile(FILTERS_FILE, PART_FILTERS_FORMAT));
  }

  /**
   * The result of `read`; DAMAGED, which may be cached; or undefined after a disk error, which may be temporary.
   * Rethrows a shortage of descriptors or memory: every other file would fail too.
   */
  #unlessDamaged<T>(read: () => T): T | typeof DAMAGED | undefined {
    try {
      return read();
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return error.code === 'CORRUPTION' ? DAMAGED : undefined;
    }
  }

  /** A file opened after close() would never be closed. */
  #assertOpen(): void {
    assert(!this.#isClosed, `${this.path}: read after it was closed`);
  }

  /** Number of open files. */
  get openFiles(): number {
    return [this.#data, this.#traces, this.#filtersOpen, this.#rollups].filter((file) => file !== undefined).length;
  }

  /** The same interface as a cache of open parts; the owner keeps this part open. */
  use<T>(work: (part: PartReader) => T): T {
    return work(this);
  }

  /** The file of the blocks, open until close(). Throws DISK, FORMAT_TOO_NEW, CORRUPTION when it is another part's. */
  dataFile(): ReadFile {
    this.#assertOpen();
    return (this.#data ??= openBlocks(this.#disk, join(this.path, DATA_FILE), PART_DATA_FORMAT));
  }

  /** Block number `block`, read column by column while the part is open. Throws CORRUPTION. */
  openBlock(block: number): BlockReader {
    const { offset, sizeBytes } = this.metadata.blocks[block]!;
    return new BlockReader({ sizeBytes, read: (at, size) => this.dataFile().read(offset + at, size) });
  }

  /** Block number `block`, verified. Throws CORRUPTION with the place in the message. */
  readBlock(block: number): Uint8Array<ArrayBuffer> {
    return readBlockAt(this.dataFile(), this.metadata.blocks[block]!);
  }

  /** Closes all files. The part cannot be read afterwards. */
  close(): void {
    this.#isClosed = true;
    this.dropFilters();
    for (const file of [this.#data, this.#traces, this.#filtersOpen, this.#rollups]) file?.close();
    this.#data = this.#traces = this.#filtersOpen = this.#rollups = undefined;
    this.#outlines = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Size of the outlines, which lie in `filters` between its header and the first filter. */
export function outlinesBytes({ identity, filtersBytes, blocks }: PartMetadata): number {
  const left = blocks.reduce((sum, { filterBytes }) => sum - filterBytes - 4, filtersBytes - fileHeaderSize(identity));
  return Math.max(0, left);
}

/** Where each block's filter begins in the file. */
function filterStarts(metadata: PartMetadata): Float64Array {
  const starts = new Float64Array(metadata.blocks.length);
  let at = fileHeaderSize(metadata.identity) + outlinesBytes(metadata);
  metadata.blocks.forEach(({ filterBytes }, block) => {
    starts[block] = at;
    at += filterBytes + 4;
  });
  return starts;
}

function checkLength(disk: DiskReads, path: string, sizeBytes: number): void {
  const stat = disk.stat(path);
  if (stat?.sizeBytes !== sizeBytes) {
    throw new StoreError(
      'CORRUPTION',
      `${path}: ${stat?.sizeBytes ?? 'no'} bytes where ${sizeBytes} were written; ` +
        'restore it from a snapshot or a replica',
    );
  }
}
