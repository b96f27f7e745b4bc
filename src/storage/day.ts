// One UTC day of the store, and its one state. Opening, flushes, merges, detaching and dropping of a day run in its own lanes,
// so it neither waits for another day nor makes it fail. Only an open day is read. Spans accepted before the day began to
// detach or drop are still written, because detaching and dropping wait for their commit.
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
import { addCounters, noCounters, type PartitionCounters } from '../partition/counters.ts';
import { Partition, type PartitionOptions } from '../partition/partition.ts';
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
  // A dropped day leaves the set.
  dropping: [],
};

export interface DayOptions extends Omit<PartitionOptions, 'path' | 'day'> {
  /** The folder that holds the folders of days. */
  readonly folder: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly trash: Trash;
  /** Resolves when every commit that may hold spans accepted before the call has ended. */
  readonly committed: () => Promise<void>;
  /** Removes a dropped day from the set; its name is free. */
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
  /** Set in the states open, detaching and dropping. */
  #partition: Partition | undefined;
  /** Counters of this day's closed partitions. */
  readonly #counted: PartitionCounters = noCounters();
  #closing: Promise<void> | undefined;
  #opening: Promise<void> | undefined;
  /** Aborted when the store closes: nothing is opened any more. */
  readonly #ending = new AbortController();
  /** The closed partition's pins: queries that began earlier may still read it. */
  #read: Pinned | undefined;
  readonly #gone = Promise.withResolvers<void>();

  /** In the state opening, the caller calls open() or attach() next. */
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
    // Callers that do not wait for it learn from the log that the removal failed.
    this.#gone.promise.catch(() => undefined);
  }

  get state(): DayState {
    return this.#state;
  }

  /** The partition to read, flush and merge: undefined unless the day is open. */
  get partition(): Partition | undefined {
    return this.#state === 'open' ? this.#partition : undefined;
  }

  /** Settles when the files of a dropped day are removed. Rejects with DISK: they remain as garbage, removed later. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Sum over all partitions of this day since the process knows the day. */
  get counters(): PartitionCounters {
    const sum = { ...this.#counted };
    if (this.#partition !== undefined) addCounters(sum, this.#partition.counters);
    return sum;
  }

  /** Why the day is neither written nor visible to queries; undefined: it is open. */
  get closedError(): StoreError | undefined {
    return this.#state === 'open' ? undefined : new StoreError('UNAVAILABLE', `partition ${this.name} ${this.#why()}`);
  }

  /** Why queries miss spans of this day: it is opening, or opening failed. undefined: they miss none. */
  get outage(): string | undefined {
    return this.#state === 'opening' || this.#state === 'failed' ? this.closedError?.message : undefined;
  }

  /** Opens the folder, creating it if missing. If the disk refuses, the day becomes failed. Rethrows any other error. */
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

  /** Tries again to open a failed day. */
  reopen(): Promise<void> {
    this.#become('opening');
    return this.openings.run(async () => void (await this.#openOr('failed')));
  }

  /** Opens a detached day. If that fails, it stays detached. Throws DISK, FORMAT_TOO_NEW. */
  async attach(): Promise<RecoveryReport> {
    this.#become('opening');
    return await this.#openOr('detached');
  }

  /** Settles when no opening is under way, successful or not. */
  async opened(): Promise<void> {
    await this.#opening;
  }

  /** Another thread reads the log: acknowledgements and queries go on meanwhile. */
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

  /** Counts and logs damage that the store's OpenReport does not contain. */
  #tellDamage(damaged: readonly string[]): void {
    this.#counted.corruptBlocks += damaged.length;
    for (const damage of damaged)
      this.#options.logger.warn('damaged data was set aside in quarantine', { partition: this.name, damage });
  }

  get #placed(): PartitionOptions {
    assert(this.#state === 'opening' && this.#partition === undefined, `${this.name} is opened while ${this.#state}`);
    return { ...this.#options, path: this.path, day: this.day };
  }

  /** Starts writing blocks. Throws DISK; UNAVAILABLE if the day takes no more blocks. */
  append(blocks: readonly Uint8Array[]): LogAppend {
    // Also while detaching or dropping: spans accepted earlier are still written.
    if (this.#partition !== undefined) return this.#partition.append(blocks);
    const error = this.closedError;
    assert(error !== undefined, `${this.name} is open without a partition`);
    throw error;
  }

  /**
   * Takes the day out: from this call on, no request with its spans is accepted and no query sees it. Cancels its merges.
   * Resolves when the commits and queries that use it have ended, so that nothing uses its folder any more.
   */
  async detach(): Promise<void> {
    if (this.#state === 'failed') return this.#become('detached');
    this.#become('detaching');
    await this.#closePartition();
    await this.#read?.unpinned();
    this.#become('detached');
  }

  /**
   * As detach(), then removes the folder. Resolves when the partition is closed and, unless a query reads it, removed;
   * otherwise maintenance removes it later. See `gone` and `removals.lastError`.
   */
  drop(): Promise<void> {
    this.#become('dropping');
    return this.tryRemove();
  }

  /** Tries to remove a day that is being dropped; its files stay until the last query has ended. */
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

  /** Closes the partition, if there is one. Does not flush. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#opening;
    await this.#closePartition();
  }

  /** Closes the process's handles and changes nothing on disk. */
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
      // The partition is closed nevertheless, and everything acknowledged was already on disk.
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
