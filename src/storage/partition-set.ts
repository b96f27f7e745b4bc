// The days of the store, by state (day.ts): opens those on disk at the start, creates new ones as they begin, and detaches
// and attaches days for an operator. A failing day does not affect the others: they open and go on.
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import type { NameBounds } from '../index/names.ts';
import { checkRestored } from '../partition/check-restored.ts';
import { DAY_MS, formatDay, parseDay } from '../partition/day.ts';
import type { LogAppend } from '../partition/log-file.ts';
import type { MergeRoom, MergeRunner } from '../partition/merge-runner.ts';
import { addCounters, noCounters, type PartitionCounters } from '../partition/counters.ts';
import type { Partition } from '../partition/partition.ts';
import type { Forget } from '../partition/partition-place.ts';
import { AgeGate } from './age-gate.ts';
import { Day, type DayOptions } from './day.ts';
import { daysInFuture, daysToDrop, type Retention } from './retention.ts';
import { isTrash, Trash } from './trash.ts';

export interface PartitionSetOptions extends Retention {
  readonly path: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mergeRunner: MergeRunner;
  readonly mergeRoom: MergeRoom;
  readonly clockJumpGraceMs: number;
  /** See PartitionPlace. */
  readonly forget?: Forget | undefined;
  readonly nameBounds?: NameBounds | undefined;
  /** Default limits.partitionsMax. */
  readonly partitionsMax?: number;
  /** Resolves when every commit that may hold spans accepted before the call has ended. */
  readonly committed: () => Promise<void>;
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
  /** One line for each damaged item; its bytes are in quarantine. */
  readonly damaged: readonly string[];
  /** Partitions dropped because of their age. */
  readonly dropped: readonly string[];
  /** Partitions that the disk did not let open. They are retried, and neither read nor written until then. */
  readonly failed: readonly string[];
  readonly tookMs: number;
}

export class PartitionSet {
  readonly quarantinePath: string;
  readonly report: OpenReport;
  readonly trash: Trash;
  readonly ageGate: AgeGate;
  readonly #options: PartitionSetOptions;
  readonly #dayOptions: DayOptions;
  readonly #days = new Map<number, Day>();
  /** Days whose first accepted spans have not reached append() yet. */
  readonly #promised = new Set<number>();
  /** Summed counters of the partitions dropped since start. */
  readonly #goneCounters: PartitionCounters = noCounters();

  private constructor(options: PartitionSetOptions) {
    const startMs = performance.now();
    this.#options = options;
    const { disk, path } = options;
    const folder = join(path, 'partitions');
    this.quarantinePath = join(path, 'quarantine');
    makeFolders(disk, path, [folder, this.quarantinePath]);
    this.trash = new Trash(disk, folder);
    this.#dayOptions = {
      ...options,
      folder,
      quarantinePath: this.quarantinePath,
      trash: this.trash,
      onGone: (day) => this.#forget(day),
    };
    const onDisk = this.#daysOnDisk(folder);
    this.ageGate = new AgeGate(options, onDisk);
    const dropped = this.ageGate.daysToDrop(onDisk);
    try {
      for (const day of dropped) this.trash.take(join(folder, formatDay(day)));
      for (const day of onDisk) if (!dropped.includes(day)) this.#openNew(day);
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

  /** Every known day, in order. */
  get days(): Day[] {
    return [...this.#days.values()].sort((a, b) => a.day - b.day);
  }

  /** The partitions of the open days, in order: those that are read and written. */
  get all(): Partition[] {
    return this.days.map(({ partition }) => partition).filter((partition) => partition !== undefined);
  }

  /** Days that should be readable and are not, newest first, with the reason: answers that may lack their spans say so. */
  get outages(): { readonly day: number; readonly path: string; readonly message: string }[] {
    const found = this.days.flatMap(({ day, path, outage: message }) =>
      message === undefined ? [] : [{ day, path, message }],
    );
    return found.reverse();
  }

  /** Summed over all partitions since start; damage found while opening counts as corrupt blocks. */
  get counters(): PartitionCounters {
    const sum = { ...this.#goneCounters };
    for (const day of this.#days.values()) addCounters(sum, day.counters);
    sum.corruptBlocks += this.report.damaged.length;
    return sum;
  }

  /** Bytes in the logs of all partitions that a flush will write once more. */
  get logBytes(): number {
    let sum = 0;
    for (const { partition } of this.#days.values()) sum += partition?.log.waiting.sizeBytes ?? 0;
    return sum;
  }

  find(day: number): Day | undefined {
    return this.#days.get(day);
  }

  /**
   * Whether a span of `day` may be written. False if it would create one day too many, far from today. An accepted day counts
   * before it has a partition, so that no single request can create a thousand days too many.
   */
  acceptsDay(day: number): boolean {
    // If the day is not open, its spans are refused later, with UNAVAILABLE; they are not rejected here.
    if (this.#days.has(day) || this.#promised.has(day)) return true;
    const { clock, partitionsMax = limits.partitionsMax } = this.#options;
    if (Math.abs(day - Math.floor(clock.nowMs() / DAY_MS)) <= limits.daysAlwaysTaken) return true;
    if (this.#days.size + this.#promised.size >= partitionsMax) return false;
    this.#promised.add(day);
    return true;
  }

  /** Stops counting promised days: the requests of some of them failed. */
  forgetPromisedDays(): void {
    this.#promised.clear();
  }

  /** Throws UNAVAILABLE if one of `days` takes no spans now: exporters keep their spans and retry. */
  assertWritable(days: Iterable<number>): void {
    for (const day of days) {
      const error = this.#days.get(day)?.closedError;
      if (error !== undefined) throw error;
    }
  }

  /** Starts writing blocks of `day`, and creates the day if it does not exist. Throws DISK, UNAVAILABLE. */
  append(day: number, blocks: readonly Uint8Array[]): LogAppend {
    return (this.#days.get(day) ?? this.#openNew(day)).append(blocks);
  }

  /** Drops every day that is not detached. Resolves when its files are gone, after its last query. Throws DISK after trying all. */
  async purge(): Promise<void> {
    const ended = await Promise.allSettled(
      this.days.map(async (day) => {
        if (day.state === 'opening') await day.opened();
        if (day.state === 'dropping') await (day.removals.running ?? day.tryRemove());
        else if (day.state === 'open' || day.state === 'failed') await day.drop();
        else return;
        const { lastError } = day.removals;
        if (lastError !== undefined) throw lastError;
        await day.gone;
      }),
    );
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  /** As Day.detach, by an operator. Throws NOT_FOUND, INVALID_REQUEST, UNAVAILABLE. */
  async detach(number: number): Promise<void> {
    const day = this.#days.get(number);
    const name = formatDay(number);
    if (day === undefined)
      throw new StoreError('NOT_FOUND', `partition ${name} does not exist; see /internal/partition/list`);
    if (day.state === 'detached') throw new StoreError('INVALID_REQUEST', `partition ${name} is detached already`);
    if (day.state !== 'open' && day.state !== 'failed') throw day.closedError!;
    await day.detach();
    this.#options.logger.info('partition detached', { partition: name });
  }

  /**
   * Opens the folder of a day that was detached or copied there. Throws NOT_FOUND if there is none; INVALID_REQUEST if it is
   * attached, older than the retention or incomplete; UNAVAILABLE while it is being attached or detached.
   */
  async attach(number: number): Promise<void> {
    const { clock, disk, logger } = this.#options;
    const known = this.#days.get(number);
    const name = formatDay(number);
    if (known?.state === 'open') throw new StoreError('INVALID_REQUEST', `partition ${name} is attached already`);
    if (known !== undefined && known.state !== 'detached') throw known.closedError!;
    if (daysToDrop([number], clock.nowMs(), this.#options).length > 0) {
      throw new StoreError(
        'INVALID_REQUEST',
        `partition ${name} is older than the retention and would be dropped at once; raise -retentionPeriod first`,
      );
    }
    const path = join(this.#dayOptions.folder, name);
    if (known !== undefined && disk.stat(path) === undefined) {
      const what = `partition ${name} is detached and its folder is gone`;
      throw new StoreError('NOT_FOUND', `${what}; put it back, or an empty folder to begin the day anew: ${path}`);
    }
    checkRestored(disk, path, number);
    const day = known ?? new Day(number, this.#dayOptions, 'detached');
    this.#days.set(number, day);
    const report = await day.attach().catch((error: unknown) => {
      if (known === undefined) this.#days.delete(number);
      throw error;
    });
    logger.info('partition attached', { partition: name, parts: report.parts, rows: report.partRows + report.logRows });
  }

  /** Closes all partitions; cancels merges under way. Does not flush. */
  async close(): Promise<void> {
    await Promise.all(this.days.map((day) => day.close()));
  }

  /** Closes the process's handles and changes nothing on disk. */
  abandon(): void {
    for (const day of this.#days.values()) day.abandon();
  }

  #openNew(number: number): Day {
    const day = new Day(number, this.#dayOptions);
    day.open();
    this.#days.set(number, day);
    this.#promised.delete(number);
    return day;
  }

  #forget(day: Day): void {
    assert(this.#days.get(day.day) === day, `${day.name} is gone twice`);
    this.#days.delete(day.day);
    addCounters(this.#goneCounters, day.counters);
  }

  #daysOnDisk(folder: string): number[] {
    const { disk, clock, logger } = this.#options;
    const days: number[] = [];
    for (const name of disk.list(folder)) {
      const day = parseDay(name);
      if (day !== undefined) days.push(day);
      else if (!isTrash(name)) logger.warn('a name in partitions/ is no day, left alone', { name });
    }
    for (const day of daysInFuture(days, clock.nowMs(), this.#options)) {
      logger.warn('a partition lies beyond -futureRetention, kept: is the clock right?', { partition: formatDay(day) });
    }
    return days;
  }

  #makeReport(dropped: readonly number[], tookMs: number): OpenReport {
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
      dropped: dropped.map(formatDay),
      failed: this.days.filter(({ state }) => state === 'failed').map(({ name }) => name),
      tookMs,
    };
  }
}

/** Syncs names that exist already too: the process that created them may have failed before its sync. */
function makeFolders(disk: Disk, parent: string, folders: readonly string[]): void {
  for (const folder of folders) if (disk.stat(folder) === undefined) disk.makeDir(folder);
  disk.syncDir(parent);
}
