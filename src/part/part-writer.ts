// Writes a part: blocks go in as they come, the trace lookup and the metadata follow at the end. It writes to the
// part's final folder from the start: a folder that no catalog lists is garbage, and is removed when the partition is
// opened. When finish() returns, every byte and every name of the part is durable; before, nothing may refer to it.
import { basename, dirname, join } from 'node:path';
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import { readBlockHeader } from '../block/block-header.ts';
import { readBlockTraceIds } from '../block/block-reader.ts';
import type { TermSet } from '../block/terms.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { crc32 } from '../bytes/crc32.ts';
import { buildFuseFilter } from '../codec/fuse-filter.ts';
import { writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk, WriteFile } from '../disk/disk.ts';
import {
  encodeFileHeader,
  FILE_HEADER_SIZE,
  PART_DATA_FORMAT,
  PART_FILTERS_FORMAT,
  PART_TRACES_FORMAT,
  type FileFormat,
} from './format-version.ts';
import { newIdentity, parseIdentity, type Identity } from './identity.ts';
import { encodePartMetadata, type PartBlock, type PartMetadata, type PartOrigin } from './part-metadata.ts';
import { OutlinesBuilder } from './outlines.ts';
import { RollupWriter } from './rollup-writer.ts';
import { TraceLookupBuilder } from './trace-lookup.ts';

export const DATA_FILE = 'data';
export const TRACES_FILE = 'traces';
export const FILTERS_FILE = 'filters';
export const ROLLUPS_FILE = 'rollups';
export const METADATA_FILE = 'metadata';

export class PartWriter {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #identity: Identity;
  readonly #data: WriteFile;
  readonly #traces = new TraceLookupBuilder();
  readonly #outlines = new OutlinesBuilder();
  readonly #filters = new ByteWriter(1 << 14);
  readonly #blocks: PartBlock[] = [];
  #rollups: RollupWriter | undefined;
  #rowCount = 0;
  #isFinished = false;

  /** Creates the folder `path`, which must not exist; its parent does. A store names it by the part's new identity. */
  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#identity = parseIdentity(basename(path)) ?? newIdentity();
    disk.makeDir(path);
    this.#data = disk.createFile(join(path, DATA_FILE));
    this.#data.write(encodeFileHeader(PART_DATA_FORMAT, this.#identity));
  }

  /** Appends one whole encoded block; `terms` is what it can be asked for, in full. */
  addBlock(bytes: Uint8Array, terms: TermSet): void {
    assert(!this.#isFinished, 'a block added to a finished part');
    const { tenant, sizeBytes, rowCount, traceCount, startMin, startMax, durationMin, durationMax } =
      readBlockHeader(bytes);
    assert(sizeBytes === bytes.length, 'a block of another length than its header says');
    this.#traces.addBlock(this.#blocks.length, readBlockTraceIds(bytes));
    const offset = this.#data.sizeBytes;
    const filter = buildFuseFilter(terms);
    this.#outlines.addBlock(terms.outline);
    this.#filters.raw(filter);
    this.#filters.u32(crc32(filter));
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

  /** Counts of the part's calls, to be added before finish(). Not asked for: the part has none. */
  get rollups(): RollupWriter {
    assert(!this.#isFinished, 'roll-ups added to a finished part');
    return (this.#rollups ??= new RollupWriter(this.#disk.createFile(join(this.#path, ROLLUPS_FILE)), this.#identity));
  }

  /** The part has no roll-ups after all. */
  dropRollups(): void {
    this.#rollups?.abandon();
    this.#rollups = undefined;
    this.#disk.remove(join(this.#path, ROLLUPS_FILE));
  }

  /** Writes the rest, makes the part durable and closes it. */
  finish(day: number, origin: PartOrigin): PartMetadata {
    assert(!this.#isFinished, 'a part finished twice');
    this.#data.sync();
    this.#data.close();
    const { pages, fences } = this.#traces.encode();
    const outlines = this.#outlines.encode();
    const metadata = {
      identity: this.#identity,
      day,
      origin,
      rowCount: this.#rowCount,
      dataBytes: this.#data.sizeBytes,
      tracesBytes: FILE_HEADER_SIZE + pages.length,
      filtersBytes: FILE_HEADER_SIZE + outlines.length + this.#filters.length,
      rollupsBytes: this.#rollups?.finish() ?? 0,
      blocks: this.#blocks,
      fences,
    };
    this.#writeFile(TRACES_FILE, PART_TRACES_FORMAT, [pages]);
    this.#writeFile(FILTERS_FILE, PART_FILTERS_FORMAT, [outlines, this.#filters.view()]);
    writeWholeFile(this.#disk, join(this.#path, METADATA_FILE), encodePartMetadata(metadata));
    this.#disk.syncDir(this.#path);
    this.#disk.syncDir(dirname(this.#path));
    this.#isFinished = true;
    return metadata;
  }

  /**
   * Gives the part up: closes and removes what was written. After finish() it does nothing. It never throws, so that it
   * cannot hide why the part was given up: what it fails to remove is listed nowhere and goes when the partition opens.
   */
  abandon(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    try {
      this.#data.close();
      this.#rollups?.abandon();
      this.#disk.remove(this.#path);
    } catch (error) {
      if (!isStoreError(error, 'DISK')) throw error;
    }
  }

  #writeFile(name: string, format: FileFormat, content: readonly Uint8Array[]): void {
    const file = this.#disk.createFile(join(this.#path, name));
    try {
      file.write(encodeFileHeader(format, this.#identity));
      for (const piece of content) file.write(piece);
      file.sync();
    } finally {
      file.close();
    }
  }
}
