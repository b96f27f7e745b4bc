// The open partitions, one for each day that has data. Opens those on disk at the start, makes new ones as days begin,
// drops those beyond retention: a dropped folder is renamed before it is removed, so that no crash leaves half a day
// that would be opened as a whole one.
import { join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Disk } from '../disk/disk.ts';
import { formatDay, parseDay } from '../partition/day.ts';
import type { MergeRunner } from '../partition/merge-runner.ts';
import { Partition, type PartitionCounters } from '../partition/partition.ts';
import { daysToDrop, type Retention } from './retention.ts';

export interface PartitionSetOptions extends Retention {
  readonly path: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly mergeRunner: MergeRunner;
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
  /** Days on their way out: nothing may be written to them until their folder is gone. */
  readonly #dropping = new Set<number>();
  /** What partitions dropped since start had counted. */
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

  /** The partition of `day`, made when there is none. Throws DISK, and UNAVAILABLE while the day is being dropped. */
  openDay(day: number): Partition {
    if (this.#dropping.has(day)) {
      throw new StoreError(
        'UNAVAILABLE',
        `${join(this.#folder, formatDay(day))}: this day is being dropped; retry later`,
      );
    }
    return this.#partitions.get(day) ?? this.#open(day);
  }

  /** Drops the partitions beyond retention. Their files go when no snapshot reads them any more. Throws DISK. */
  async dropOld(): Promise<void> {
    const { clock, log } = this.#options;
    for (const day of daysToDrop([...this.#partitions.keys()], clock.nowMs(), this.#options)) {
      const partition = this.#partitions.get(day)!;
      this.#partitions.delete(day);
      this.#dropping.add(day);
      addCounters(this.#droppedCounters, partition.counters);
      await partition.close();
      partition.pinned.doom();
      log.info('partition dropped', { partition: formatDay(day) });
    }
  }

  /** Closes all partitions. Does not flush. */
  async close(): Promise<void> {
    for (const partition of this.#partitions.values()) await partition.close();
  }

  /** Closes what belongs to the process and touches nothing on disk. */
  abandon(): void {
    for (const partition of this.#partitions.values()) partition.abandon();
  }

  #open(day: number): Partition {
    const { disk, log, mergeRunner } = this.#options;
    const path = join(this.#folder, formatDay(day));
    const partition = Partition.open({
      path,
      day,
      disk,
      log,
      mergeRunner,
      quarantinePath: this.quarantinePath,
      remove: () => {
        removeFolder(disk, this.#folder, path);
        this.#dropping.delete(day);
      },
    });
    this.#partitions.set(day, partition);
    return partition;
  }

  /** Days to open; folders of days that are too old, and of days dropped before a crash, are removed on the way. */
  #daysOnDisk(dropped: string[]): number[] {
    const { disk, clock, log } = this.#options;
    const days: number[] = [];
    for (const name of disk.list(this.#folder)) {
      const day = parseDay(name);
      if (day !== undefined) days.push(day);
      else if (name.endsWith(DROPPED_SUFFIX)) disk.remove(join(this.#folder, name));
      else log.warn('a name in partitions/ is no day, left alone', { name });
    }
    const old = new Set(daysToDrop(days, clock.nowMs(), this.#options));
    for (const day of old) {
      removeFolder(disk, this.#folder, join(this.#folder, formatDay(day)));
      dropped.push(formatDay(day));
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
