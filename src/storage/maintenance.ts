// What runs by the clock: flushes, merges, retention. One flush and one merge at a time over all partitions, merges
// apart from flushes, so that a long merge never lets the log grow. A failure is logged and tried again later: what is
// acknowledged is on disk already, so nothing here is urgent.
import type { Clock } from '../base/clock.ts';
import { isStoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Partition } from '../partition/partition.ts';
import type { DiskGuard } from './disk-guard.ts';
import type { Dropper } from './dropper.ts';
import type { PartitionSet } from './partition-set.ts';

/** How often the clock is looked at. */
const TICK_MS = 500;
/** A log above this is flushed without waiting for the interval: recovery and queries read all of it. */
export const LOG_ROWS_MAX = 131_072;
/** After a failure the disk is left alone for this long. */
const RETRY_MS = 10_000;
/** How late a drop may come, and for how long the limits on the disk may be exceeded. */
const RETENTION_INTERVAL_MS = 10_000;

export interface MaintenanceOptions {
  readonly partitions: PartitionSet;
  readonly dropper: Dropper;
  readonly guard: DiskGuard;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly flushIntervalMs: number;
  /** Removes snapshots on disk above their greatest age. */
  readonly deleteOldSnapshots: () => void;
}

export class Maintenance {
  readonly #options: MaintenanceOptions;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #flushing: Promise<void> | undefined;
  #merging: Promise<void> | undefined;
  #flushedMs: number;
  #retainedMs: number;
  #failedMs = -Infinity;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#flushedMs = this.#retainedMs = options.clock.nowMs();
  }

  /** Looks at the clock from now on, until stop(). */
  startTimer(): void {
    this.#timer ??= setInterval(() => this.#start(), TICK_MS);
    this.#timer.unref();
  }

  /** Nothing starts any more; what runs goes on. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** A commit has been published: a log that has grown large is flushed at once. */
  afterCommit(): void {
    if (this.#flushing === undefined && this.#hasLargeLog()) this.#start();
  }

  /** Runs what is due. Resolves when that, and what was running, is done. */
  async run(): Promise<void> {
    this.#start();
    await this.#flushing;
    await this.#merging;
  }

  #start(): void {
    if (this.#isStopped || !isDue(this.#options.clock.nowMs(), this.#failedMs, RETRY_MS)) return;
    this.#flushing ??= this.#guarded('flush', () => this.#flushDue()).then(() => {
      this.#flushing = undefined;
    });
  }

  #startMerging(): void {
    // A merge needs room for its output before its inputs go.
    if (this.#isStopped || this.#options.guard.isReadOnly) return;
    this.#merging ??= this.#guarded('merge', () => this.#mergeAll()).then(() => {
      this.#merging = undefined;
    });
  }

  async #flushDue(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    if (isDue(nowMs, this.#retainedMs, RETENTION_INTERVAL_MS)) {
      this.#retainedMs = nowMs;
      await this.#drop();
      this.#options.deleteOldSnapshots();
    }
    const isIntervalOver = isDue(nowMs, this.#flushedMs, this.#options.flushIntervalMs);
    if (isIntervalOver) this.#flushedMs = nowMs;
    let hasFlushed = false;
    for (const partition of this.#options.partitions.all) {
      const { rowCount } = partition.log;
      if (!(rowCount > LOG_ROWS_MAX || (isIntervalOver && rowCount > 0))) continue;
      await partition.flush();
      hasFlushed = true;
    }
    if (hasFlushed) await this.#drop();
    this.#startMerging();
  }

  /** A drop that the disk refuses must not keep the log from being flushed. */
  #drop(): Promise<void> {
    return this.#guarded('retention', () => this.#options.dropper.run());
  }

  async #mergeAll(): Promise<void> {
    for (const partition of this.#options.partitions.all) if (!this.#isStopped) await partition.mergeWorthwhile();
  }

  #hasLargeLog(): boolean {
    return this.#options.partitions.all.some((partition: Partition) => partition.log.rowCount > LOG_ROWS_MAX);
  }

  async #guarded(what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!isStoreError(error)) throw error;
      if (this.#isStopped) return;
      this.#failedMs = this.#options.clock.nowMs();
      this.#options.logger.error(`${what} failed, tried again later`, { error, retrySeconds: RETRY_MS / 1000 });
    }
  }
}

/** A clock set back starts the interval anew. */
function isDue(nowMs: number, lastMs: number, intervalMs: number): boolean {
  return nowMs < lastMs || nowMs - lastMs >= intervalMs;
}
