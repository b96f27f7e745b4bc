// Writes many blocks into one new part, for a flush (blocks of log files), a merge (blocks of parts) and a repair
// (blocks of a part without metadata). For each tenant, it decodes blocks in order of their first start into a window,
// brings whole traces together inside it, removes exact duplicates and encodes the rows again.
//
// Memory is bounded for any input and any number of names. The window ends when it is full: rows of a trace that arrive
// further apart stay in several blocks, and duplicates as far apart stay for the query to drop: answers do not change.
// The part writer and the roll-ups have bounds of their own. This module only reads and writes files, so it runs on any
// thread; the caller makes the part visible.
import { assert } from '../base/assert.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import { BlockReader } from '../block/block-reader.ts';
import { CallColumns } from '../block/call-columns.ts';
import type { CallNames } from '../block/call-counts.ts';
import { appendBlock } from '../block/decode-block.ts';
import { encodeBlock } from '../block/encode-block.ts';
import { regroupByTrace } from '../block/regroup.ts';
import { TermSet } from '../block/terms.ts';
import type { Disk, ReadFile } from '../disk/disk.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import type { Tenant } from '../trace/tenant.ts';
import { readIntact } from './counted-spans.ts';
import { cutBlocks } from './cut-blocks.ts';
import { LOG_FORMAT, PART_DATA_FORMAT } from './format-version.ts';
import type { PartMetadata, PartOrigin } from './part-metadata.ts';
import { MovableBlocks } from './movable-blocks.ts';
import { openBlocks, readBlockAt, type BlockRange } from './part-reader.ts';
import { PartRollups, type RollupPlan } from './part-rollups.ts';
import { PartWriter } from './part-writer.ts';
import { quarantine, type DamagedPlace } from '../quarantine/quarantine.ts';

/**
 * Rows of a block. Fewer rows: a trace by id reads and decodes less. More rows: dictionaries and headers weigh less per
 * span. Measured on the shop workload: 4 k 28.0 B a span, 8 k 25.7, 16 k 24.3; reading a trace from an uncached block
 * takes 0.9, 1.3 and 2.1 ms. Other data gains more (demo corpus 28.8, 24.2, 21.2).
 */
export const BLOCK_ROWS_TARGET = 16_384;
/** Blocks of very large spans are cut earlier, so that decoding one block needs little more memory than this. */
export const BLOCK_BYTES_TARGET: number = 16 << 20;
/**
 * Rows of a window. A decoded row takes 100 to 300 bytes, so a merge needs some 60 MB. One block below 2^18, so that
 * the last block of a window does not make the batch's arrays double once more.
 */
export const WINDOW_ROWS_MAX: number = (1 << 18) - BLOCK_ROWS_TARGET;
/**
 * Default of MergeJob.memoryBytes. A window of usual spans takes 60 to 80 MB of it. A lower limit ends windows earlier,
 * and fewer traces are whole. Arrays double when they grow, so a merge of unusual spans may hold up to twice as much.
 */
export const MERGE_BYTES_DEFAULT: number = 256 << 20;
/** A lower limit would make each window a single block. */
const MERGE_BYTES_MIN: number = 1 << 20;
/** Shares of the memory. The rest is for the current block, whose encoding takes several times its size. */
const WINDOW_SHARE = 3 / 8;
const WRITER_SHARE = 1 / 4;
const ROLLUPS_SHARE = 1 / 8;
/** Of the inputs' outlines as they are stored, which take some ten times as much in memory. */
const MOVED_OUTLINES_SHARE = 1 / 128;
/** Share of the window: above it, a window's end clears names and templates; below, the next window reuses them. */
const DICTIONARY_SHARE = 1 / 4;

export interface MergeBlock extends BlockRange {
  readonly tenant: Tenant;
  /** ns since the day's midnight. */
  readonly startMin: number;
  /** A flag per row that is not to be in the new part. */
  readonly leftOut?: Uint8Array | undefined;
}

/** A file of blocks: a log file or a part's data. */
export interface MergeInput {
  readonly path: string;
  readonly blocks: readonly MergeBlock[];
  /** The file is the data of a whole part and `blocks` are all its blocks, in its order: some may be copied as they are. */
  readonly isPart?: boolean;
}

export interface MergeJob {
  readonly inputs: readonly MergeInput[];
  /** The new part's folder; it must not exist. */
  readonly partPath: string;
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly origin: PartOrigin;
  readonly rollups: RollupPlan;
  /** Folder for copies of damaged blocks. */
  readonly quarantinePath: string;
  /** Default WINDOW_ROWS_MAX. */
  readonly windowRowsMax?: number;
  /** Memory of the merge besides its current block, at least 1 MiB. Default MERGE_BYTES_DEFAULT. */
  readonly memoryBytes?: number | undefined;
}

/** Whether the job turns log files into a part; a merge or a repair replaces parts. */
export function isFlush({ origin }: Pick<MergeJob, 'origin'>): boolean {
  return origin.partIds.length === 0;
}

export interface MergeResult {
  /** undefined: the inputs had no intact row, so no part was made. */
  readonly part: PartMetadata | undefined;
  readonly rowsRead: number;
  /** Of them, those in blocks that were copied as they are. */
  readonly rowsCopied: number;
  readonly duplicates: number;
  /** The damaged blocks, which were left out. Copies of them are in quarantine. */
  readonly damaged: readonly DamagedPlace[];
}

/** Runs `job`. On return the part is durable but not in the catalog. Throws DISK after removing what it has written. */
export function mergeParts(disk: Disk, job: MergeJob): MergeResult {
  using merge = new Merge(disk, job);
  return merge.run();
}

interface Source extends MergeBlock {
  readonly input: number;
  /** Number of the block in its input. */
  readonly block: number;
}

/**
 * The cleared window of this thread's last merge, reused by the next. Growing a new window to full size produces as
 * much garbage as it holds, and large buffers are collected late.
 */
let spareWindow: SpanBatch | undefined;

class Merge implements Disposable {
  readonly #disk: Disk;
  readonly #job: MergeJob;
  readonly #writer: PartWriter;
  readonly #rollups: PartRollups;
  readonly #files = new Map<number, ReadFile>();
  readonly #window = spareWindow ?? new SpanBatch();
  readonly #damaged: DamagedPlace[] = [];
  readonly #memoryBytes: number;
  readonly #windowBytesMax: number;
  /** Rows of the window that are not to be written. */
  readonly #leftOut = new Set<number>();
  #movable: MovableBlocks | undefined;
  /** A place in the merge's order up to which the window's traces have rows in further blocks; -1: in no further one. */
  #windowReach = -1;
  #rowsRead = 0;
  #rowsCopied = 0;
  #rowsKept = 0;
  #duplicates = 0;
  /** Size of the window's dictionaries before the rows in it were read. */
  #dictionaryBytes = 0;

  constructor(disk: Disk, job: MergeJob) {
    spareWindow = undefined;
    this.#disk = disk;
    this.#job = job;
    this.#memoryBytes = Math.max(MERGE_BYTES_MIN, job.memoryBytes ?? MERGE_BYTES_DEFAULT);
    this.#windowBytesMax = this.#memoryBytes * WINDOW_SHARE;
    this.#writer = new PartWriter(disk, job.partPath, this.#memoryBytes * WRITER_SHARE);
    try {
      this.#rollups = new PartRollups(disk, this.#writer, job.rollups, this.#memoryBytes * ROLLUPS_SHARE);
    } catch (error) {
      this.#writer.abandon();
      throw error;
    }
  }

  /** Memory kept from block to block. */
  get #usedBytes(): number {
    return this.#window.usedBytes + this.#writer.usedBytes + this.#rollups.usedBytes;
  }

  run(): MergeResult {
    const byTenant = sourcesByTenant(this.#job.inputs);
    this.#movable = this.#findMovable([...byTenant.values()]);
    let place = 0;
    for (const [tenant, sources] of byTenant) {
      this.#mergeTenant(tenant, sources, place);
      place += sources.length;
    }
    const hasRows = this.#rowsKept + this.#rowsCopied > 0;
    if (hasRows) this.#rollups.finish();
    return {
      part: hasRows ? this.#writer.finish(this.#job.day, this.#job.origin) : undefined,
      rowsRead: this.#rowsRead,
      rowsCopied: this.#rowsCopied,
      duplicates: this.#duplicates,
      damaged: this.#damaged,
    };
  }

  /** Closes the open files. Removes a part that was not finished. */
  [Symbol.dispose](): void {
    this.#window.clear();
    spareWindow = this.#window;
    this.#movable?.[Symbol.dispose]();
    this.#rollups[Symbol.dispose]();
    this.#writer.abandon();
    for (const file of this.#files.values()) file.close();
  }

  #findMovable(byTenant: readonly Source[][]): MovableBlocks | undefined {
    const { inputs } = this.#job;
    if (!inputs.every(({ isPart }) => isPart === true)) return undefined;
    const order = byTenant.flat();
    const tenants = Int32Array.from(byTenant.flatMap((sources, tenant) => sources.map(() => tenant)));
    const outlinesBytesMax = this.#memoryBytes * MOVED_OUTLINES_SHARE;
    return MovableBlocks.find(
      this.#disk,
      inputs.map(({ path }) => path),
      { order, tenants, outlinesBytesMax },
    );
  }

  /** `place`: the place of the first source in the merge's order. */
  #mergeTenant(tenant: Tenant, sources: readonly Source[], place: number): void {
    const window = this.#window;
    const { windowRowsMax = WINDOW_ROWS_MAX } = this.#job;
    for (const [i, source] of sources.entries()) {
      assert(this.#usedBytes <= this.#memoryBytes, 'a merge beyond its memory');
      this.#read(source, place + i);
      // Beside copied blocks, a window ends once it fills a block and its traces are whole: a later one is far in time.
      const isWhole = this.#movable !== undefined && this.#windowReach <= place + i;
      const rowsMax = isWhole ? Math.min(BLOCK_ROWS_TARGET, windowRowsMax) : windowRowsMax;
      if (window.rowCount >= rowsMax || window.usedBytes >= this.#windowBytesMax) this.#writeWindow(tenant);
    }
    this.#writeWindow(tenant);
    window.clear();
    this.#dictionaryBytes = 0;
  }

  /** Copies the block to the part, or reads its rows into the window. */
  #read(source: Source, place: number): void {
    const { path } = this.#job.inputs[source.input]!;
    try {
      const file = this.#open(source.input);
      const bytes = readBlockAt(file, source);
      const block = new BlockReader(bytes);
      const { day, rowCount } = block.header;
      if (day !== this.#job.day)
        throw new StoreError('CORRUPTION', `a block of day ${day} among those of ${this.#job.day}`);
      const columns = this.#rollups.readColumns(source.tenant, block);
      const moved = this.#movable?.indexOf(place, source, block);
      if (moved === undefined) {
        const before = this.#window.rowCount;
        appendBlock(this.#window, block);
        source.leftOut?.forEach((flag, row) => flag === 0 || this.#leftOut.add(before + row));
        this.#windowReach = Math.max(this.#windowReach, this.#movable?.reach(place) ?? -1);
      } else {
        this.#writer.addMoved(bytes, moved);
        this.#rowsCopied += rowCount;
      }
      if (columns !== undefined) this.#rollups.add(columns, (names) => readColumns(file, source, names));
      this.#rowsRead += rowCount;
    } catch (error) {
      if (!isStoreError(error, 'CORRUPTION')) throw error;
      this.#putAside(path, source, error.message);
    }
  }

  #writeWindow(tenant: Tenant): void {
    const window = this.#window;
    if (window.rowCount > this.#leftOut.size) this.#writeBlocks(tenant, window);
    this.#leftOut.clear();
    // Even if no row was read: a damaged block may have added names before its decoding failed.
    if (window.dictionaryBytes > this.#windowBytesMax * DICTIONARY_SHARE) window.clear();
    else window.clearRows();
    this.#dictionaryBytes = window.dictionaryBytes;
    this.#windowReach = -1;
  }

  #writeBlocks(tenant: Tenant, window: SpanBatch): void {
    const { rows, traceEnds, duplicates } = regroupByTrace(window, this.#keptRows(window));
    this.#duplicates += duplicates;
    this.#rowsKept += rows.length;
    const rowBytes = (window.arenaBytes + window.dictionaryBytes - this.#dictionaryBytes) / window.rowCount;
    const blockBytesMax = Math.min(BLOCK_BYTES_TARGET, this.#windowBytesMax / 4);
    const rowsMax = Math.max(1, Math.min(BLOCK_ROWS_TARGET, Math.floor(blockBytesMax / (rowBytes + 1))));
    const { day } = this.#job;
    let start = 0;
    for (const end of cutBlocks(traceEnds, rowsMax)) {
      const terms = new TermSet();
      const block = encodeBlock(window, rows.subarray(start, end), { tenant, day, profile: 'merged', terms });
      this.#writer.addBlock(block, terms);
      start = end;
    }
  }

  /** undefined: all of them. */
  #keptRows({ rowCount }: SpanBatch): Uint32Array | undefined {
    if (this.#leftOut.size === 0) return undefined;
    const kept = new Uint32Array(rowCount - this.#leftOut.size);
    let count = 0;
    for (let row = 0; row < rowCount; row++) if (!this.#leftOut.has(row)) kept[count++] = row;
    return kept;
  }

  #putAside(path: string, { offset, sizeBytes }: BlockRange, message: string): void {
    const place = { path, offset, sizeBytes, message };
    this.#damaged.push(place);
    quarantine(this.#disk, this.#job.quarantinePath, place);
  }

  #open(input: number): ReadFile {
    let file = this.#files.get(input);
    if (file === undefined) {
      const { path } = this.#job.inputs[input]!;
      file = openBlocks(this.#disk, path, path.endsWith('.log') ? LOG_FORMAT : PART_DATA_FORMAT);
      this.#files.set(input, file);
    }
    return file;
  }
}

function readColumns(file: ReadFile, range: BlockRange, names: CallNames): CallColumns | undefined {
  return readIntact(() => new CallColumns(new BlockReader(readBlockAt(file, range)), names));
}

/** Blocks of each tenant by first start, so that a window holds rows near in time. Ties by place: P8. */
function sourcesByTenant(inputs: readonly MergeInput[]): Map<Tenant, Source[]> {
  const byTenant = new Map<Tenant, Source[]>();
  inputs.forEach(({ blocks }, input) => {
    for (const [number, block] of blocks.entries()) {
      const source = { ...block, input, block: number };
      const sources = byTenant.get(block.tenant);
      if (sources === undefined) byTenant.set(block.tenant, [source]);
      else sources.push(source);
    }
  });
  for (const sources of byTenant.values()) {
    sources.sort((a, b) => a.startMin - b.startMin || a.input - b.input || a.offset - b.offset);
  }
  return byTenant;
}
