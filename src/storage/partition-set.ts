// The open partitions, one for each day that has data. Opens those on disk at the start, makes new ones as days begin,
// drops those beyond retention: a dropped folder is renamed before it is removed, so that no crash leaves half a day
// that would be opened as a whole one.
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import { checkRestored } from '../partition/check-restored.ts';
import { DAY_MS, formatDay, parseDay } from '../partition/day.ts';
import type { MergeRoom, MergeRunner } from '../partition/merge-runner.ts';
import { Partition, type PartitionCounters } from '../partition/partition.ts';
import { daysInFuture, daysToDrop, type Retention } from './retention.ts';

export interface PartitionSetOptions extends Retention {
  readonly path: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mergeRunner: MergeRunner;
  readonly mergeRoom: MergeRoom;
  /** Default limits.partitionsMax. */
  readonly partitionsMax?: number;
}

/** What opening the store found and did. */
export interface OpenReport {
  readonly partitions: number;
  readonly parts: number;
  readonly partRows: number;
  readonly logFiles: number;
  readonly logRows: number;
  /** Bytes of writes that were never acknowledged. */
  readonly tornBytes: number;
  /** One line for everything that was damaged; its bytes are in quarantine. */
  readonly damaged: readonly string[];
  /** Partitions dropped because of their age. */
  readonly dropped: readonly string[];
  readonly tookMs: number;
}

const DROPPED_SUFFIX = '.dropped';

export class PartitionSet {
  readonly quarantinePath: string;
  readonly report: OpenReport;
  readonly #options: PartitionSetOptions;
  readonly #folder: string;
  readonly #partitions = new Map<number, Partition>();
  /** Days whose first spans are on their way to openDay(). */
  readonly #promised = new Set<number>();
  /** Days on their way out: nothing may be written to them until their folder is gone. */
  readonly #dropping = new Set<number>();
  /** Days that an operator has taken out: neither read nor written until attach() or the next start. */
  readonly #detached = new Set<number>();
  /** Those of them that are still being closed. */
  readonly #detaching = new Set<number>();
  /** Partitions on their way out that close() waits for. */
  readonly #closings = new Set<Promise<void>>();
  /** What partitions dropped or detached since start had counted, and the damage found in those attached. */
  readonly #droppedCounters: PartitionCounters = {
    flushes: 0,
    merges: 0,
    rowsMerged: 0,
    duplicatesRemoved: 0,
    corruptBlocks: 0,
  };

  private constructor(options: PartitionSetOptions) {
    const startMs = performance.now();
    this.#options = options;
    this.#folder = join(options.path, 'partitions');
    this.quarantinePath = join(options.path, 'quarantine');
    makeFolders(options.disk, options.path, [this.#folder, this.quarantinePath]);
    const dropped: string[] = [];
    try {
      for (const day of this.#daysOnDisk(dropped)) this.#open(day);
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.report = this.#makeReport(dropped, performance.now() - startMs);
  }

  /** Opens every partition below `options.path`, which exists. Throws DISK, FORMAT_TOO_NEW. */
  static open(options: PartitionSetOptions): PartitionSet {
    return new PartitionSet(options);
  }

  /** By day. */
  get all(): Partition[] {
    return [...this.#partitions.values()].sort((a, b) => a.day - b.day);
  }

  /** Summed over all partitions there were since start; what opening found damaged counts as corrupt. */
  get counters(): PartitionCounters {
    const sum = { ...this.#droppedCounters };
    for (const partition of this.#partitions.values()) addCounters(sum, partition.counters);
    sum.corruptBlocks += this.report.damaged.length;
    return sum;
  }

  /** Days of which nothing may be written. */
  get detachedDays(): ReadonlySet<number> {
    return this.#detached;
  }

  /**
   * Whether a span of `day` may be written: not when it would begin one day too many, far from today. What is accepted
   * here is counted before it has a partition, so that no single request can name a thousand days too many.
   */
  acceptsDay(day: number): boolean {
    // A detached day has its turn later: its spans are refused with UNAVAILABLE, not rejected.
    if (this.#partitions.has(day) || this.#promised.has(day) || this.#detached.has(day)) return true;
    const { clock, partitionsMax = limits.partitionsMax } = this.#options;
    if (Math.abs(day - Math.floor(clock.nowMs() / DAY_MS)) <= limits.daysAlwaysTaken) return true;
    if (this.#partitions.size + this.#promised.size >= partitionsMax) return false;
    this.#promised.add(day);
    return true;
  }

  /** Some of them were in requests that failed: no longer counted. */
  forgetPromisedDays(): void {
    this.#promised.clear();
  }

  /**
   * The partition of `day`, made when there is none. Throws DISK, and UNAVAILABLE while the day is detached or being
   * dropped.
   */
  openDay(day: number): Partition {
    // What was accepted before the detach is still written: detach() waits for it.
    if (this.#detached.has(day) && !this.#partitions.has(day)) throw detachedError(day);
    if (this.#dropping.has(day)) throw beingDropped(join(this.#folder, formatDay(day)));
    return this.#partitions.get(day) ?? this.#open(day);
  }

  /** Bytes in the logs of all partitions. */
  get logBytes(): number {
    let sum = 0;
    for (const { log } of this.#partitions.values()) sum += log.sizeBytes;
    return sum;
  }

  /** Days that have a partition, in no order. */
  get days(): number[] {
    return [...this.#partitions.keys()];
  }

  /** The partition of `day`, when there is one. */
  find(day: number): Partition | undefined {
    return this.#partitions.get(day);
  }

  /**
   * Drops the partition of `day`, which exists, with all that is in its log. It is read no more by queries that begin,
   * and its files go when the last one has ended; until then the day takes no spans. Throws DISK.
   */
  async drop(day: number): Promise<void> {
    const partition = this.#partitions.get(day);
    assert(partition !== undefined, `day ${day} was dropped twice`);
    this.#partitions.delete(day);
    this.#dropping.add(day);
    addCounters(this.#droppedCounters, partition.counters);
    await partition.close();
    partition.pinned.doom();
  }

  /** As drop(), and resolves when the last query has ended and the files are gone; nothing for a day that is not here. */
  async dropAndWait(day: number): Promise<void> {
    const partition = this.#partitions.get(day);
    if (partition === undefined) return;
    await this.drop(day);
    await partition.pinned.unpinned();
  }

  /**
   * Takes `day` out: new spans of it are refused from this call on, queries that begin see nothing of it. Resolves when
   * commits (`committed`), flushes, merges and queries of it have ended and its folder is nobody's. Throws NOT_FOUND.
   */
  async detach(day: number, committed: () => Promise<void>): Promise<void> {
    if (this.#detaching.has(day)) throw inDetachError(day);
    if (!this.#partitions.has(day)) throw notAttached(day, this.#detached.has(day));
    this.#detached.add(day);
    this.#detaching.add(day);
    try {
      await committed();
      await this.#closeDetached(day);
    } finally {
      this.#detaching.delete(day);
    }
  }

  /**
   * Opens the folder of `day`, which was detached or copied there. Throws NOT_FOUND when there is none, INVALID_REQUEST
   * when it is attached, beyond the retention or not whole, UNAVAILABLE while it is being detached or dropped.
   */
  attach(day: number): void {
    const { clock, disk, logger } = this.#options;
    const name = formatDay(day);
    if (this.#detaching.has(day)) throw inDetachError(day);
    if (this.#partitions.has(day)) throw new StoreError('INVALID_REQUEST', `partition ${name} is attached already`);
    if (this.#dropping.has(day)) throw beingDropped(join(this.#folder, name));
    if (daysToDrop([day], clock.nowMs(), this.#options).length > 0) {
      throw new StoreError(
        'INVALID_REQUEST',
        `partition ${name} is older than the retention and would be dropped at once; raise -retentionPeriod first`,
      );
    }
    checkRestored(disk, join(this.#folder, name), day);
    const { report } = this.#open(day);
    this.#detached.delete(day);
    this.#droppedCounters.corruptBlocks += report.damaged.length;
    for (const damage of report.damaged) logger.warn('damaged data was set aside in quarantine', { damage });
    logger.info('partition attached', { partition: name, parts: report.parts, rows: report.partRows + report.logRows });
  }

  /** Closes all partitions. Does not flush. */
  async close(): Promise<void> {
    for (const partition of this.#partitions.values()) await partition.close();
    await Promise.all(this.#closings);
  }

  /** Closes what belongs to the process and touches nothing on disk. */
  abandon(): void {
    for (const partition of this.#partitions.values()) partition.abandon();
  }

  async #closeDetached(day: number): Promise<void> {
    // A drop may have taken it meanwhile: then there is nothing left to close, and nothing to attach.
    const partition = this.#partitions.get(day);
    if (partition === undefined) return;
    this.#partitions.delete(day);
    const closing = partition.close();
    this.#closings.add(closing);
    await closing.finally(() => this.#closings.delete(closing));
    await partition.pinned.unpinned();
    addCounters(this.#droppedCounters, partition.counters);
    this.#options.logger.info('partition detached', { partition: formatDay(day) });
  }

  #open(day: number): Partition {
    const { disk, logger, mergeRunner, mergeRoom } = this.#options;
    const path = join(this.#folder, formatDay(day));
    const partition = Partition.open({
      path,
      day,
      disk,
      logger,
      mergeRunner,
      mergeRoom,
      quarantinePath: this.quarantinePath,
      remove: () => {
        removeFolder(disk, this.#folder, path);
        this.#dropping.delete(day);
      },
    });
    this.#partitions.set(day, partition);
    this.#promised.delete(day);
    return partition;
  }

  /** Days to open; folders of days that are too old, and of days dropped before a crash, are removed on the way. */
  #daysOnDisk(dropped: string[]): number[] {
    const { disk, clock, logger } = this.#options;
    const days: number[] = [];
    for (const name of disk.list(this.#folder)) {
      const day = parseDay(name);
      if (day !== undefined) days.push(day);
      else if (name.endsWith(DROPPED_SUFFIX)) disk.remove(join(this.#folder, name));
      else logger.warn('a name in partitions/ is no day, left alone', { name });
    }
    const old = new Set(daysToDrop(days, clock.nowMs(), this.#options));
    for (const day of old) {
      removeFolder(disk, this.#folder, join(this.#folder, formatDay(day)));
      dropped.push(formatDay(day));
    }
    for (const day of daysInFuture(days, clock.nowMs(), this.#options)) {
      logger.warn('a partition lies beyond -futureRetention, kept: is the clock right?', { partition: formatDay(day) });
    }
    return days.filter((day) => !old.has(day));
  }

  #makeReport(dropped: readonly string[], tookMs: number): OpenReport {
    const reports = this.all.map((partition) => partition.report);
    const sum = (key: 'parts' | 'partRows' | 'logFiles' | 'logRows' | 'tornBytes'): number =>
      reports.reduce((total, report) => total + report[key], 0);
    return {
      partitions: reports.length,
      parts: sum('parts'),
      partRows: sum('partRows'),
      logFiles: sum('logFiles'),
      logRows: sum('logRows'),
      tornBytes: sum('tornBytes'),
      damaged: reports.flatMap((report) => report.damaged),
      dropped,
      tookMs,
    };
  }
}

/** For spans of a day that is detached: exporters keep them and come back. */
export function detachedError(day: number): StoreError {
  const name = formatDay(day);
  return new StoreError(
    'UNAVAILABLE',
    `partition ${name} is detached and takes no spans until it is attached; retry later`,
  );
}

function inDetachError(day: number): StoreError {
  return new StoreError('UNAVAILABLE', `partition ${formatDay(day)} is being detached; retry later`);
}

function notAttached(day: number, isDetached: boolean): StoreError {
  const why = isDetached ? 'is detached already' : 'does not exist; see /internal/partition/list';
  return new StoreError(isDetached ? 'INVALID_REQUEST' : 'NOT_FOUND', `partition ${formatDay(day)} ${why}`);
}

function beingDropped(path: string): StoreError {
  return new StoreError('UNAVAILABLE', `${path}: this day is being dropped; retry later`);
}

/** Names that are there already are synced too: whoever made them may have failed to. */
function makeFolders(disk: Disk, parent: string, folders: readonly string[]): void {
  for (const folder of folders) if (disk.stat(folder) === undefined) disk.makeDir(folder);
  disk.syncDir(parent);
}

function removeFolder(disk: Disk, parent: string, path: string): void {
  disk.remove(path + DROPPED_SUFFIX);
  disk.rename(path, path + DROPPED_SUFFIX);
  disk.syncDir(parent);
  disk.remove(path + DROPPED_SUFFIX);
}

function addCounters(sum: PartitionCounters, more: PartitionCounters): void {
  sum.flushes += more.flushes;
  sum.merges += more.merges;
  sum.rowsMerged += more.rowsMerged;
  sum.duplicatesRemoved += more.duplicatesRemoved;
  sum.corruptBlocks += more.corruptBlocks;
}
