// One UTC day of the store, and the one state it is in. Whatever happens to a day (opening, flushes, merges, detaching,
// dropping) happens in lanes of its own: it waits for no other day and fails no other day. Only an open day is read;
// what a commit accepted before the day began to leave is still written, because leaving waits for that commit.
//
//   opening → open → detaching → detached → opening
//           → failed → opening      open, failed → dropping → (gone)
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import { formatDay } from '../partition/day.ts';
import type { RecoveryReport } from '../partition/open-partition.ts';
import type { LogAppend } from '../partition/log-file.ts';
import { Partition, type PartitionCounters, type PartitionOptions } from '../partition/partition.ts';
import type { Pinned } from '../partition/pinned.ts';
import type { DayState } from '../trace/store.ts';
import { Lane } from './lane.ts';
import type { Trash } from './trash.ts';

const NEXT: Readonly<Record<DayState, readonly DayState[]>> = {
  opening: ['open', 'failed', 'detached'],
  open: ['detaching', 'dropping'],
  failed: ['opening', 'detached', 'dropping'],
  detaching: ['detached'],
  detached: ['opening'],
  // It ends by leaving the set.
  dropping: [],
};

export interface DayOptions extends Omit<PartitionOptions, 'path' | 'day'> {
  /** Where the folders of days are. */
  readonly folder: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly trash: Trash;
  /** Resolves when every commit that may hold spans accepted before the call has ended. */
  readonly committed: () => Promise<void>;
  /** A dropped day's name is free: it leaves the set. */
  readonly onGone: (day: Day) => void;
}

export class Day {
  readonly day: number;
  readonly name: string;
  readonly path: string;
  readonly flushes: Lane;
  readonly merges: Lane;
  readonly openings: Lane;
  readonly removals: Lane;
  readonly #options: DayOptions;
  #state: DayState;
  /** Opened and not closed: in the states open, detaching and dropping. */
  #partition: Partition | undefined;
  /** Of partitions of this day that were closed. */
  readonly #counted: PartitionCounters = noCounters();
  #closing: Promise<void> | undefined;
  #opening: Promise<void> | undefined;
  /** The store closes: nothing is opened any more. */
  readonly #ending = new AbortController();
  /** Of the partition that was closed: queries that began before may still read it. */
  #read: Pinned | undefined;
  readonly #gone = Promise.withResolvers<void>();

  /** In the state opening: open() or attach() follows. */
  constructor(day: number, options: DayOptions, state: 'opening' | 'detached' = 'opening') {
    this.day = day;
    this.name = formatDay(day);
    this.path = join(options.folder, this.name);
    this.#options = options;
    this.#state = state;
    const { clock, logger } = options;
    const lane = (what: string): Lane => new Lane({ what, partition: this.name, clock, logger });
    this.flushes = lane('flush');
    this.merges = lane('merge');
    this.openings = lane('opening');
    this.removals = lane('removal');
    // Whoever does not wait for it learns from the log that the removal failed.
    this.#gone.promise.catch(() => undefined);
  }

  get state(): DayState {
    return this.#state;
  }

  /** What is read, flushed and merged: undefined unless the day is open. */
  get partition(): Partition | undefined {
    return this.#state === 'open' ? this.#partition : undefined;
  }

  /** Settles when the files of a dropped day have gone. Rejects with DISK: they are garbage that is removed later. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** What its partitions have counted since the day is known. */
  get counters(): PartitionCounters {
    const sum = { ...this.#counted };
    if (this.#partition !== undefined) addCounters(sum, this.#partition.counters);
    return sum;
  }

  /** Why nothing is written to it, and no query sees it; undefined: it is open. */
  get closedError(): StoreError | undefined {
    return this.#state === 'open' ? undefined : new StoreError('UNAVAILABLE', `partition ${this.name} ${this.#why()}`);
  }

  /** Why queries do not see spans that they should: it is being opened, or could not be. undefined: they see what there is. */
  get outage(): string | undefined {
    return this.#state === 'opening' || this.#state === 'failed' ? this.closedError?.message : undefined;
  }

  /** Opens the folder, making it when it is not there. A disk that refuses makes the day failed. Throws what else is. */
  open(): void {
    try {
      this.#partition = Partition.open(this.#placed);
    } catch (error) {
      if (!isStoreError(error, 'DISK')) throw error;
      this.#become('failed');
      return this.openings.fail(error);
    }
    this.#become('open');
  }

  /** Tries once more to open a failed day. */
  reopen(): Promise<void> {
    this.#become('opening');
    return this.openings.run(async () => void (await this.#openOr('failed')));
  }

  /** Opens a detached day. When that fails it stays detached. Throws DISK, FORMAT_TOO_NEW. */
  async attach(): Promise<RecoveryReport> {
    this.#become('opening');
    return await this.#openOr('detached');
  }

  /** Settles when no opening is under way any more, however it ended. */
  async opened(): Promise<void> {
    await this.#opening;
  }

  /** Its log is read on another thread: acknowledgements and queries go on meanwhile. */
  async #openOr(otherwise: DayState): Promise<RecoveryReport> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#opening = promise;
    try {
      this.#partition = await Partition.openBeside(this.#placed, this.#ending.signal);
    } catch (error) {
      this.#become(otherwise);
      throw error;
    } finally {
      resolve();
    }
    this.#become('open');
    const { report } = this.#partition;
    this.#tellDamage(report.damaged);
    return report;
  }

  /** The report of the start knows nothing of it. */
  #tellDamage(damaged: readonly string[]): void {
    this.#counted.corruptBlocks += damaged.length;
    for (const damage of damaged)
      this.#options.logger.warn('damaged data was set aside in quarantine', { partition: this.name, damage });
  }

  get #placed(): PartitionOptions {
    assert(this.#state === 'opening' && this.#partition === undefined, `${this.name} is opened while ${this.#state}`);
    return { ...this.#options, path: this.path, day: this.day };
  }

  /** Starts writing blocks. Throws DISK, and UNAVAILABLE where nothing may be written any more. */
  append(blocks: readonly Uint8Array[]): LogAppend {
    // Also while it leaves: what was accepted before is still written.
    if (this.#partition !== undefined) return this.#partition.append(blocks);
    const error = this.closedError;
    assert(error !== undefined, `${this.name} is open without a partition`);
    throw error;
  }

  /**
   * Takes the day out: no request with spans of it is accepted and no query sees it from this call on. Merges of it are
   * cancelled. Resolves when commits and queries that have it have ended: its folder is nobody's then.
   */
  async detach(): Promise<void> {
    if (this.#state === 'failed') return this.#become('detached');
    this.#become('detaching');
    await this.#closePartition();
    await this.#read?.unpinned();
    this.#become('detached');
  }

  /**
   * As detach(), and the folder goes with all that is in it. Resolves when it was closed and, unless a query reads it,
   * removed; maintenance goes on from there. See `gone` and `removals.lastError`.
   */
  drop(): Promise<void> {
    this.#become('dropping');
    return this.tryRemove();
  }

  /** Of a day that is being dropped: tries to remove it, once the last query has ended. */
  tryRemove(): Promise<void> {
    assert(this.#state === 'dropping', `${this.name} is removed while ${this.#state}`);
    return this.removals.run(async () => {
      await this.#closePartition();
      if (this.#read?.isPinned === true) return void this.#removeWhenUnread(this.#read);
      const { trash, onGone } = this.#options;
      trash.take(this.path);
      onGone(this);
      const emptied = trash.empty();
      this.#gone.resolve(emptied);
      await emptied;
    });
  }

  async #removeWhenUnread(read: Pinned): Promise<void> {
    await read.unpinned();
    if (this.removals.isReady) await this.tryRemove();
  }

  /** Closes the partition, where there is one. Does not flush. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#opening;
    await this.#closePartition();
  }

  /** Closes what belongs to the process and touches nothing on disk. */
  abandon(): void {
    this.#ending.abort();
    this.#partition?.abandon();
  }

  #closePartition(): Promise<void> {
    return (this.#closing ??= this.#closeNow().finally(() => (this.#closing = undefined)));
  }

  async #closeNow(): Promise<void> {
    await this.#options.committed();
    const partition = this.#partition;
    if (partition === undefined) return;
    try {
      await partition.close();
    } catch (error) {
      // It is closed nevertheless, and everything acknowledged was on disk before.
      if (!isStoreError(error, 'DISK')) throw error;
      this.#options.logger.warn('a file of a closed partition could not be closed', { partition: this.name, error });
    }
    this.#partition = undefined;
    this.#read = partition.pinned;
    addCounters(this.#counted, partition.counters);
  }

  #become(next: DayState): void {
    assert(NEXT[this.#state].includes(next), `${this.name} goes from ${this.#state} to ${next}`);
    this.#state = next;
    const mayBeEither = next === 'detaching' || next === 'dropping';
    assert(mayBeEither || (next === 'open') === (this.#partition !== undefined), `${this.name} became ${next}`);
  }

  #why(): string {
    if (this.#state === 'opening') return 'is being opened; retry later';
    if (this.#state === 'failed')
      return `could not be opened (${this.openings.lastError?.message}); it is tried again, retry later`;
    if (this.#state === 'detaching') return 'is being detached; retry later';
    if (this.#state === 'dropping') return 'is being dropped; retry later';
    return 'is detached and takes no spans until it is attached; retry later';
  }
}

export function noCounters(): PartitionCounters {
  return { flushes: 0, merges: 0, rowsMerged: 0, duplicatesRemoved: 0, corruptBlocks: 0, namesFolded: 0 };
}

export function addCounters(sum: PartitionCounters, more: PartitionCounters): void {
  sum.flushes += more.flushes;
  sum.merges += more.merges;
  sum.rowsMerged += more.rowsMerged;
  sum.duplicatesRemoved += more.duplicatesRemoved;
  sum.corruptBlocks += more.corruptBlocks;
  sum.namesFolded += more.namesFolded;
}
