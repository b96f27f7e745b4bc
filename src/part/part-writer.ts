// Writes a part: blocks as they arrive, then the trace lookup and the metadata. It writes to the part's final folder
// from the start: opening the partition removes a folder that no catalog lists. When finish() returns, every byte and
// name of the part is durable; nothing may refer to the part earlier.
import { basename, dirname, join } from 'node:path';
import { assert } from '../base/assert.ts';
import { readBlockHeader } from '../block/block-header.ts';
import { readBlockTraceIds } from '../block/block-reader.ts';
import type { BlockOutline } from '../block/outline.ts';
import type { TermSet } from '../block/terms.ts';
import { crc32 } from '../bytes/crc32.ts';
import { buildFuseFilter } from '../codec/fuse-filter.ts';
import { writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk, WriteFile } from '../disk/disk.ts';
import { giveUp, orClosed } from '../disk/give-up.ts';
import {
  encodeFileHeader,
  type FileFormat,
  PART_DATA_FORMAT,
  PART_FILTERS_FORMAT,
  PART_TRACES_FORMAT,
} from './format-version.ts';
import { newIdentity, parseIdentity, type Identity } from './identity.ts';
import { encodePartMetadata, type PartBlock, type PartMetadata, type PartOrigin } from './part-metadata.ts';
import { OutlinesBuilder } from './outlines.ts';
import { RollupWriter } from './rollup-writer.ts';
import { Spill } from './spill.ts';
import { TraceLookupBuilder } from './trace-lookup.ts';

export const DATA_FILE = 'data';
export const TRACES_FILE = 'traces';
export const FILTERS_FILE = 'filters';
export const ROLLUPS_FILE = 'rollups';
export const METADATA_FILE = 'metadata';

/** Memory used until the part is finished, at any part size: the total, and shares of it. */
const MEMORY_BYTES_MAX: number = 64 << 20;
const OUTLINES_SHARE = 1 / 4;
/** Share of the trace lookup. Sorting its entries takes twice as much. */
const TRACES_SHARE = 1 / 4;
const FILTERS_SHARE = 1 / 8;

export class PartWriter {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #identity: Identity;
  readonly #data: WriteFile;
  readonly #spilledTraces: Spill;
  readonly #traces: TraceLookupBuilder;
  readonly #outlines: OutlinesBuilder;
  readonly #filters: Spill;
  readonly #blocks: PartBlock[] = [];
  #rollups: RollupWriter | undefined;
  #rowCount = 0;
  #isFinished = false;

  /**
   * Creates the folder `path`, whose parent must exist; `path` must not. A store names it by the part's new identity.
   * `memoryBytes` bounds usedBytes.
   */
  constructor(disk: Disk, path: string, memoryBytes: number = MEMORY_BYTES_MAX) {
    this.#disk = disk;
    this.#path = path;
    this.#identity = parseIdentity(basename(path)) ?? newIdentity();
    this.#spilledTraces = new Spill(disk, join(path, `${TRACES_FILE}.spill`), 0);
    this.#traces = new TraceLookupBuilder(this.#spilledTraces, Math.ceil((memoryBytes * TRACES_SHARE) / 8));
    this.#outlines = new OutlinesBuilder(memoryBytes * OUTLINES_SHARE);
    this.#filters = new Spill(disk, join(path, `${FILTERS_FILE}.spill`), memoryBytes * FILTERS_SHARE);
    disk.makeDir(path);
    try {
      const header = encodeFileHeader(PART_DATA_FORMAT, this.#identity);
      this.#data = orClosed(disk.createFile(join(path, DATA_FILE)), (file) => file.write(header));
    } catch (error) {
      giveUp(() => disk.remove(path));
      throw error;
    }
  }

  /** Bytes in memory until the part is finished; never above `memoryBytes` by more than one block. */
  get usedBytes(): number {
    return this.#traces.usedBytes + this.#outlines.usedBytes + this.#filters.usedBytes;
  }

  /** Appends one whole encoded block; `terms` has all of its terms. */
  addBlock(bytes: Uint8Array, terms: TermSet): void {
    this.#add(bytes, buildFuseFilter(terms));
    this.#outlines.addBlock(terms.outline);
  }

  /** Appends a block of another part as it is, with its filter there and its outline (outlineAt). */
  addMoved(bytes: Uint8Array, { filter, outline }: { filter: Uint8Array; outline: BlockOutline }): void {
    this.#add(bytes, filter);
    this.#outlines.addSteps(outline);
  }

  #add(bytes: Uint8Array, filter: Uint8Array): void {
    assert(!this.#isFinished, 'a block added to a finished part');
    const { tenant, sizeBytes, rowCount, traceCount, startMin, startMax, durationMin, durationMax } =
      readBlockHeader(bytes);
    assert(sizeBytes === bytes.length, 'a block of another length than its header says');
    this.#traces.addBlock(this.#blocks.length, readBlockTraceIds(bytes));
    const offset = this.#data.sizeBytes;
    this.#filters.append(filter);
    this.#filters.append(new Uint8Array(Uint32Array.of(crc32(filter)).buffer));
    this.#blocks.push({
      offset,
      sizeBytes,
      filterBytes: filter.length,
      tenant,
      rowCount,
      traceCount,
      startMin,
      startMax,
      durationMin,
      durationMax,
    });
    this.#rowCount += rowCount;
    this.#data.write(bytes);
  }

  /** Receives the counts of the part's calls before finish(). If it is never used, the part has no roll-ups. */
  get rollups(): RollupWriter {
    assert(!this.#isFinished, 'roll-ups added to a finished part');
    return (this.#rollups ??= new RollupWriter(this.#disk, join(this.#path, ROLLUPS_FILE), this.#identity));
  }

  /** Removes the roll-ups again. */
  dropRollups(): void {
    this.#rollups?.abandon();
    this.#rollups = undefined;
    this.#disk.remove(join(this.#path, ROLLUPS_FILE));
  }

  /** Writes the other files, makes the part durable and closes it. */
  finish(day: number, origin: PartOrigin): PartMetadata {
    assert(!this.#isFinished, 'a part finished twice');
    this.#data.sync();
    this.#data.close();
    let fences = new Uint32Array(0);
    const tracesBytes = this.#writeFile(TRACES_FILE, PART_TRACES_FORMAT, (file) => {
      fences = this.#traces.write((pages) => file.write(pages));
    });
    const filtersBytes = this.#writeFile(FILTERS_FILE, PART_FILTERS_FORMAT, (file) => {
      file.write(this.#outlines.encode());
      this.#filters.copyTo(file);
    });
    this.#dropSpilled();
    const metadata = {
      identity: this.#identity,
      day,
      origin,
      rowCount: this.#rowCount,
      dataBytes: this.#data.sizeBytes,
      tracesBytes,
      filtersBytes,
      rollupsBytes: this.#rollups?.finish() ?? 0,
      blocks: this.#blocks,
      fences,
    };
    writeWholeFile(this.#disk, join(this.#path, METADATA_FILE), encodePartMetadata(metadata));
    this.#disk.syncDir(this.#path);
    this.#disk.syncDir(dirname(this.#path));
    this.#isFinished = true;
    return metadata;
  }

  /**
   * Closes and removes what was written. After finish() it does nothing. It never throws, so that it cannot hide the
   * reason for giving up. Opening the partition removes any remains, which no catalog lists.
   */
  abandon(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    giveUp(
      () => this.#data.close(),
      () => this.#rollups?.abandon(),
      () => this.#spilledTraces.drop(),
      () => this.#filters.drop(),
      () => this.#disk.remove(this.#path),
    );
  }

  #dropSpilled(): void {
    this.#spilledTraces.drop();
    this.#filters.drop();
  }

  /** Returns the file's size in bytes. */
  #writeFile(name: string, format: FileFormat, writeContent: (file: WriteFile) => void): number {
    const file = this.#disk.createFile(join(this.#path, name));
    try {
      file.write(encodeFileHeader(format, this.#identity));
      writeContent(file);
      file.sync();
    } finally {
      file.close();
    }
    return file.sizeBytes;
  }
}
