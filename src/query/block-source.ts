// The blocks a view holds, as a query sees them: parts and log blocks are the same thing here. Runs on any thread:
// it knows only paths, and the view keeps the files from being removed. A block that fails its checksum is skipped,
// counted and named in the answer's warnings; it never fails the query.
import { join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import type { BlockReader } from '../block/block-reader.ts';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { Disk, ReadFile } from '../disk/disk.ts';
import { decodeArchivedTrace } from '../archive/archived-trace.ts';
import { LOG_FORMAT } from '../part/format-version.ts';
import type { Identity } from '../part/identity.ts';
import {
  MemoryBudget,
  openBlocks,
  openPart,
  withPlace,
  type BlockRange,
  type PartReader,
} from '../part/part-reader.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import type { DamagedPlace } from '../part/quarantine.ts';
import { ScannedPart, scanPart } from '../part/scan-part.ts';
import type { PartitionView, ViewLogBlock, ViewPart } from '../partition/view.ts';
import { formatTraceId } from '../trace/ids.ts';
import type { Tenant } from '../trace/tenant.ts';
import { BlockCache } from './block-cache.ts';
import { CallCache } from './call-cache.ts';
import type { OutlinedBlock } from './prune-blocks.ts';
import { newWork, type QueryWork } from './query-work.ts';

/** What a query needs of a view: plain data, cloneable to another thread. The blocks in it are the tenant's. */
export interface ViewFiles {
  readonly partitions: readonly PartitionView[];
  /** Of the traces asked for those that are archived: their files. */
  readonly archived?: readonly { readonly traceId: Uint8Array; readonly path: string }[];
}

/** A block that may matter, by what is known without reading it. */
export interface CandidateBlock {
  readonly day: number;
  /** ns since the day's midnight. */
  readonly startMin: number;
  readonly startMax: number;
  readonly durationMin: number;
  readonly durationMax: number;
  /** The part's filter of the block, where it has one. */
  filter(): FuseFilter | undefined;
  /** The block as its part knows it, where it does. */
  outlined(): OutlinedBlock | undefined;
  /** Runs `work` on the block; undefined (and a warning) when what it looks at is damaged. */
  read<T>(work: (block: BlockReader) => T): T | undefined;
}

function unknown(): undefined {
  return undefined;
}

/** Lines of an answer's warnings; damage beyond them is counted in one last line. */
const WARNINGS_MAX = 100;

/** Damaged blocks one query reports; others are reported by the next one. */
const DAMAGED_MAX = 16;

/** Memory for blocks kept open, a thread. 20 M spans' dictionaries and templates are some 60 MB. */
const BLOCK_CACHE_BYTES_MAX: number = 32 << 20;

/** Memory for filters, a thread: those of 25 M spans. What is beyond is read from the files each time. */
const FILTER_BYTES_MAX: number = 32 << 20;

/** Open parts kept from query to query; 3 file descriptors and some KB each. */
const OPEN_PARTS_MAX = 64;

/** Parts and blocks that stay open between the queries of one thread, least recently used closed first. */
export class PartCache {
  readonly #disk: Disk;
  readonly #parts = new Map<Identity, PartReader>();
  readonly blocks = new BlockCache(BLOCK_CACHE_BYTES_MAX);
  readonly calls = new CallCache();
  readonly #filterBytesMax: number;
  readonly #filterBudget: MemoryBudget;

  constructor(disk: Disk, filterBytesMax: number = FILTER_BYTES_MAX) {
    this.#disk = disk;
    this.#filterBytesMax = filterBytesMax;
    this.#filterBudget = new MemoryBudget(filterBytesMax);
  }

  /** Bytes of filters kept. */
  get filterBytes(): number {
    return this.#filterBudget.bytes;
  }

  get disk(): Disk {
    return this.#disk;
  }

  open(place: ViewPart): PartReader {
    const key = place.identity;
    const known = this.#parts.get(key);
    const part = known ?? openOrScan(this.#disk, place.path, this.#filterBudget);
    this.#parts.delete(key);
    this.#parts.set(key, part);
    if (this.#parts.size > OPEN_PARTS_MAX) {
      const [oldest, reader] = this.#parts.entries().next().value!;
      this.#parts.delete(oldest);
      reader.close();
    }
    return part;
  }

  /** When filters have taken most of their memory, those of parts not used for long make room. */
  makeRoom(): void {
    if (this.#filterBudget.bytes * 8 < this.#filterBytesMax * 7) return;
    for (const part of this.#parts.values()) {
      part.dropFilters();
      if (this.#filterBudget.bytes * 2 <= this.#filterBytesMax) return;
    }
  }

  close(): void {
    for (const part of this.#parts.values()) part.close();
    this.#parts.clear();
    this.blocks.clear();
  }
}

function openOrScan(disk: Disk, path: string, budget: MemoryBudget): PartReader {
  try {
    return openPart(disk, path, budget);
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION')) throw error;
    return scanPart(disk, path, error.message);
  }
}

/** What a block is read by. */
interface BlockPlace {
  /** Tells it apart from every other block. */
  readonly key: () => string;
  readonly path: string;
  readonly range: BlockRange;
  /** Opened when it is needed; may be closed before. */
  readonly openFile: () => ReadFile;
}

export class BlockSource implements Disposable {
  readonly #cache: PartCache;
  readonly #view: ViewFiles;
  readonly tenant: Tenant;
  readonly #logs = new Map<string, ReadFile>();
  readonly #warnings = new Set<string>();
  readonly #damaged = new Map<string, DamagedPlace>();
  readonly work: QueryWork;

  /** What is looked at is counted on `work`. */
  constructor(cache: PartCache, view: ViewFiles, tenant: Tenant, work: QueryWork = newWork(view)) {
    this.#cache = cache;
    this.#view = view;
    this.tenant = tenant;
    this.work = work;
  }

  /** One line per block or part that could not be read, however often it was asked for. */
  warnings(): string[] {
    const lines = [...this.#warnings];
    if (lines.length <= WARNINGS_MAX) return lines;
    return [...lines.slice(0, WARNINGS_MAX), `${lines.length - WARNINGS_MAX} more blocks or parts could not be read`];
  }

  /** The first blocks that were met damaged: enough for the engine to put aside at a time. */
  damaged(): DamagedPlace[] {
    return [...this.#damaged.values()];
  }

  /** Columns of log blocks, kept between queries. */
  get calls(): CallCache {
    return this.#cache.calls;
  }

  /** Every block of the tenant. */
  blocks(): CandidateBlock[] {
    this.#cache.makeRoom();
    const out: CandidateBlock[] = [];
    for (const { day, parts, logBlocks } of this.#view.partitions) {
      for (const part of parts) this.#addPart(out, day, part);
      for (const place of logBlocks) this.#addLogBlock(out, day, place);
      this.work.logBlocks += logBlocks.length;
    }
    this.work.blocks += out.length;
    return out;
  }

  /**
   * Day by day: the parts, opened, and the blocks that are in none. undefined: a part cannot be opened. `check` is called
   * before each part, and may throw.
   */
  days(
    check: () => void,
  ): { readonly day: number; readonly parts: PartReader[] | undefined; readonly logBlocks: CandidateBlock[] }[] {
    return this.#view.partitions.map(({ day, parts: places, logBlocks: logPlaces }) => {
      const logBlocks: CandidateBlock[] = [];
      for (const place of logPlaces) this.#addLogBlock(logBlocks, day, place);
      const opened = places.map((place) => {
        check();
        return this.#openPart(place);
      });
      const parts = opened.filter((part) => part !== undefined);
      return { day, parts: parts.length === places.length ? parts : undefined, logBlocks };
    });
  }

  /** The blocks of the tenant that may hold one of the traces (16 bytes each). */
  blocksOfTraces(traceIds: readonly Uint8Array[]): CandidateBlock[] {
    const out: CandidateBlock[] = [];
    for (const { day, parts, logBlocks } of this.#view.partitions) {
      for (const place of parts) {
        const part = this.#openPart(place);
        if (part === undefined) continue;
        const numbers = new Set(traceIds.flatMap((traceId) => part.findTrace(traceId)));
        for (const number of [...numbers].sort((x, y) => x - y)) {
          this.#addPartBlock(out, day, place, { part, number });
        }
      }
      for (const place of logBlocks) this.#addLogBlock(out, day, place);
    }
    return out;
  }

  /** TracesData of those of the traces that are archived. A file that was deleted meanwhile is no damage. */
  archivedTraces(traceIds: readonly Uint8Array[]): Uint8Array[] {
    const { disk } = this.#cache;
    const wanted = new Set(traceIds.map(formatTraceId));
    return (this.#view.archived ?? []).flatMap(({ traceId, path }) => {
      if (!wanted.has(formatTraceId(traceId)) || disk.stat(path) === undefined) return [];
      return this.#guard(() => [decodeArchivedTrace(readWholeFile(disk, path), path).trace.otlp]) ?? [];
    });
  }

  #openPart(place: ViewPart): PartReader | undefined {
    const part = this.#guard(() => this.#cache.open(place));
    if (part instanceof ScannedPart) {
      this.#warnings.add(part.fault);
      for (const range of part.lost) {
        this.#warnings.add(range.message);
        this.#addDamaged(range.path, range, range.message);
      }
    }
    return part;
  }

  #addPart(out: CandidateBlock[], day: number, place: ViewPart): void {
    const part = this.#openPart(place);
    part?.metadata.blocks.forEach((_, number) => this.#addPartBlock(out, day, place, { part, number }));
  }

  /** Block `number` of `part`, which may be closed when its turn comes: it is opened anew then. */
  #addPartBlock(
    out: CandidateBlock[],
    day: number,
    place: ViewPart,
    { part, number }: { part: PartReader; number: number },
  ): void {
    const block = part.metadata.blocks[number]!;
    if (block.tenant !== this.tenant) return;
    const { startMin, startMax, durationMin, durationMax } = block;
    const openFile = (): ReadFile => this.#cache.open(place).dataFile();
    const filter = (): FuseFilter | undefined => this.#guard(() => this.#cache.open(place).filter(number));
    const outlined = (): OutlinedBlock | undefined => {
      const outlines = this.#guard(() => this.#cache.open(place).outlines());
      return outlines === undefined ? undefined : { outlines, block: number };
    };
    const path = join(place.path, DATA_FILE);
    const read = this.#readerOf({ key: () => `${place.identity} ${number}`, path, range: block, openFile });
    out.push({ day, startMin, startMax, durationMin, durationMax, filter, outlined, read });
  }

  #addLogBlock(out: CandidateBlock[], day: number, place: ViewLogBlock): void {
    const { identity, path, offset, startMin, startMax } = place;
    const key = (): string => `${identity} ${offset}`;
    const read = this.#readerOf({ key, path, range: place, openFile: () => this.#openLog(path) });
    out.push({
      day,
      startMin,
      startMax,
      durationMin: -Infinity,
      durationMax: Infinity,
      filter: unknown,
      outlined: unknown,
      read,
    });
  }

  #readerOf({ key, path, range, openFile }: BlockPlace): CandidateBlock['read'] {
    return (work) =>
      this.#guard(() => {
        try {
          const file = openFile();
          return withPlace(path, range, () =>
            this.#cache.blocks.use(key(), { file, range }, (block) => work(block.charge(this.work))),
          );
        } catch (error) {
          if (isStoreError(error, 'CORRUPTION')) this.#addDamaged(path, range, error.message);
          throw error;
        }
      });
  }

  #addDamaged(path: string, { offset, sizeBytes }: BlockRange, message: string): void {
    if (this.#damaged.size < DAMAGED_MAX) this.#damaged.set(`${path} ${offset}`, { path, offset, sizeBytes, message });
  }

  #openLog(path: string): ReadFile {
    let file = this.#logs.get(path);
    if (file === undefined) this.#logs.set(path, (file = openBlocks(this.#cache.disk, path, LOG_FORMAT)));
    return file;
  }

  #guard<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!isStoreError(error, 'CORRUPTION') && !isStoreError(error, 'DISK')) throw error;
      this.warn(error.message);
      return undefined;
    }
  }

  /** Takes a line for warnings(). */
  warn(message: string): void {
    this.#warnings.add(message);
  }

  [Symbol.dispose](): void {
    for (const file of this.#logs.values()) file.close();
  }
}
