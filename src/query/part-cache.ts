// Parts and blocks that stay open between the queries of one thread, by identity. A query's view keeps the files of its parts.
// When a part has left the catalog and its last view is released, the engine says so, and this cache closes the part: a
// deleted file that stays open keeps its disk space.
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import type { Disk, DiskReads, ReadFile } from '../disk/disk.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import type { Identity } from '../part/identity.ts';
import { MemoryBudget, openPart, type PartReader } from '../part/part-reader.ts';
import { scanPart } from '../part/scan-part.ts';
import type { ViewPart } from '../partition/view.ts';
import { BlockCache } from './block-cache.ts';
import { CallCache } from './call-cache.ts';
import { UseCache } from './use-cache.ts';

/** Memory per thread for blocks kept open. The dictionaries and templates of 20 M spans take some 60 MB. */
const BLOCK_CACHE_BYTES_MAX: number = 32 << 20;

/** Memory per thread for filters: those of 25 M spans. Further filters are read from the files each time. */
const FILTER_BYTES_MAX: number = 32 << 20;

/** Files of parts per thread kept open between queries; a part without an open file counts as one. */
const OPEN_FILES_MAX = 128;

export interface PartCacheOptions {
  /** Default FILTER_BYTES_MAX. */
  readonly filterBytesMax?: number | undefined;
  /** Default BLOCK_CACHE_BYTES_MAX. */
  readonly blockBytesMax?: number | undefined;
  /** Returns the identities removed since the last call; called before every use. Default: none. */
  readonly takeGone?: () => readonly Identity[];
}

export class PartCache {
  readonly blocks: BlockCache;
  readonly calls = new CallCache();
  /** Opens files; if the process has too many open files, closes unused ones first. */
  readonly disk: DiskReads;
  readonly #parts = new UseCache<Identity, PartReader>({
    weightMax: OPEN_FILES_MAX,
    weigh: (part) => Math.max(1, part.openFiles),
    close: (part) => part.close(),
  });
  readonly #filterBytesMax: number;
  readonly #filterBudget: MemoryBudget;
  readonly #takeGone: () => readonly Identity[];

  constructor(disk: Disk, options: PartCacheOptions = {}) {
    const { filterBytesMax = FILTER_BYTES_MAX, blockBytesMax = BLOCK_CACHE_BYTES_MAX, takeGone = () => [] } = options;
    this.blocks = new BlockCache(blockBytesMax);
    this.disk = { openRead: (path) => this.#openRead(disk, path), stat: (path) => disk.stat(path) };
    this.#filterBytesMax = filterBytesMax;
    this.#filterBudget = new MemoryBudget(filterBytesMax);
    this.#takeGone = takeGone;
  }

  get filterBytes(): number {
    return this.#filterBudget.bytes;
  }

  get openFiles(): number {
    return this.#parts.values.reduce((sum, part) => sum + part.openFiles, 0);
  }

  /** Runs `work` on the part at `place`, open until it returns. Throws DISK, FORMAT_TOO_NEW, CORRUPTION, what `work` throws. */
  use<T>(place: ViewPart, work: (part: PartReader) => T): T {
    this.#dropGone();
    return this.#parts.use(place.identity, () => openOrScan(this.disk, place.path, this.#filterBudget), work);
  }

  #dropGone(): void {
    for (const identity of this.#takeGone()) this.drop(identity);
  }

  /** Forgets a part or log file that no view holds any more. */
  drop(identity: Identity): void {
    this.#parts.drop(identity);
    this.blocks.drop(identity);
  }

  /** When filters have used most of their memory, frees those of the least recently used parts. */
  makeRoom(): void {
    if (this.#filterBudget.bytes * 8 < this.#filterBytesMax * 7) return;
    for (const part of this.#parts.values) {
      part.dropFilters();
      if (this.#filterBudget.bytes * 2 <= this.#filterBytesMax) return;
    }
  }

  /** Nothing may be in use when this is called. */
  close(): void {
    this.#parts.closeUnused();
    assert(this.#parts.values.length === 0, 'the cache is closed while a part is used');
    this.blocks.clear();
  }

  #openRead(disk: Disk, path: string): ReadFile {
    try {
      return disk.openRead(path);
    } catch (error) {
      if (isUnreadable(error) || !isStoreError(error, 'DISK')) throw error;
      this.#parts.closeUnused();
      return disk.openRead(path);
    }
  }
}

function openOrScan(disk: DiskReads, path: string, budget: MemoryBudget): PartReader {
  try {
    return openPart(disk, path, budget);
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION')) throw error;
    return scanPart(disk, path, error.message);
  }
}
