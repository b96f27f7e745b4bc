// Does what retention.ts decides: drops days that are too old, then days and parts that do not fit, while queries run.
// What a drop removes is out of the catalog (parts) or renamed (a whole day) before its files go, and they go when no
// query reads them any more; until then they are counted as gone, so that the same bytes are never freed twice.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { PartId } from '../part/identity.ts';
import type { Disk } from '../disk/disk.ts';
import { DAY_MS, formatDay } from '../partition/day.ts';
import type { LivePart } from '../partition/part-set.ts';
import type { Partition } from '../partition/partition.ts';
import type { Pinned } from '../partition/pinned.ts';
import { DROP_REASONS, type DropCounts, type DropReason } from '../trace/store.ts';
import type { DiskUsage } from './disk-guard.ts';
import type { PartitionSet } from './partition-set.ts';
import {
  bytesWithinPercent,
  daysToDrop,
  planSpaceDrops,
  type Retention,
  type SpaceRule,
  type StoredDay,
} from './retention.ts';
import { partitionBytes } from './stats.ts';

export interface DropperOptions extends Retention {
  readonly partitions: PartitionSet;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What may be stored; 0: no limit. */
  readonly diskBytesMax: number;
  /** How full the file system may be, 1 to 100; 0: no limit. Not together with diskBytesMax. */
  readonly diskPercentMax: number;
  readonly usage: () => DiskUsage;
}

/** Dropped, but still read by a query. */
interface Leaving {
  readonly pinned: Pinned;
  readonly sizeBytes: number;
}

export class Dropper {
  readonly #options: DropperOptions;
  readonly #counts: Record<DropReason, { -readonly [K in keyof DropCounts]: DropCounts[K] }>;
  #leaving: Leaving[] = [];

  constructor(options: DropperOptions) {
    this.#options = options;
    const none = { partitions: 0, parts: 0, rows: 0, bytes: 0 };
    this.#counts = { age: { ...none }, bytes: { ...none }, percent: { ...none } };
    // What was dropped while opening was not read, so only its days are counted.
    this.#counts.age.partitions = options.partitions.report.dropped.length;
  }

  /** What was dropped since start. */
  get counts(): Readonly<Record<DropReason, DropCounts>> {
    return this.#counts;
  }

  /** Drops what is due now. Throws DISK: what was dropped until then is dropped. */
  async run(): Promise<void> {
    const { partitions, clock } = this.#options;
    partitions.forgetPromisedDays();
    for (const day of daysToDrop(partitions.days, clock.nowMs(), this.#options)) await this.#dropDay(day, 'age');
    for (const reason of DROP_REASONS) await this.#dropForSpace(reason);
  }

  async #dropForSpace(reason: DropReason): Promise<void> {
    const days = this.#options.partitions.all.map((partition) => this.#storedDay(partition));
    const rule = this.#spaceRule(reason, days);
    if (rule === undefined) return;
    for (const drop of planSpaceDrops(days, rule)) {
      if (drop.kind === 'day') await this.#dropDay(drop.day, reason);
      else await this.#dropParts(drop.day, drop.ids, reason);
    }
  }

  #spaceRule(reason: DropReason, days: readonly StoredDay[]): SpaceRule | undefined {
    const { clock, diskBytesMax, diskPercentMax, usage } = this.#options;
    if (reason === 'bytes' && diskBytesMax > 0) return { bytesMax: diskBytesMax, keptFromDay: Infinity };
    if (reason !== 'percent' || diskPercentMax === 0) return undefined;
    const { freeBytes, totalBytes } = usage();
    const sizeBytes = days.reduce((sum, day) => sum + day.sizeBytes, 0);
    const now = { freeBytes: freeBytes + this.#leavingBytes(), totalBytes };
    // What fills the disk may be somebody else's: it must not cost what was stored a moment ago.
    const keptFromDay = Math.floor(clock.nowMs() / DAY_MS);
    return { bytesMax: bytesWithinPercent(sizeBytes, diskPercentMax, now), keptFromDay };
  }

  /** A detached day that a query still reads has gone from the set, and is nobody's to drop. */
  async #dropDay(day: number, reason: DropReason): Promise<void> {
    const { partitions, disk } = this.#options;
    const partition = partitions.find(day);
    if (partition === undefined) return;
    if (reason !== 'age' && partition.pinned.isPinned) {
      // While its folder is read the day could take no spans. Its parts go now, the folder at a later look.
      await this.#dropParts(
        day,
        partition.parts.map(({ entry }) => entry.id),
        reason,
      );
      return;
    }
    const { parts } = partition;
    const rows = partition.log.rowCount + rowsOf(parts);
    const sizeBytes = partitionBytes(disk, partition);
    await partitions.drop(day);
    this.#leave({ pinned: partition.pinned, sizeBytes });
    this.#count(reason, { partitions: 1, parts: parts.length, rows, bytes: sizeBytes });
    this.#tell('partition dropped', day, { reason, parts: parts.length, rows, bytes: sizeBytes });
  }

  async #dropParts(day: number, ids: readonly PartId[], reason: DropReason): Promise<void> {
    const parts = (await this.#options.partitions.find(day)?.dropParts(ids)) ?? [];
    if (parts.length === 0) return;
    for (const { pinned, entry } of parts) this.#leave({ pinned, sizeBytes: entry.sizeBytes });
    const bytes = parts.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
    this.#count(reason, { partitions: 0, parts: parts.length, rows: rowsOf(parts), bytes });
    this.#tell('oldest parts of a partition dropped', day, {
      reason,
      parts: parts.length,
      rows: rowsOf(parts),
      bytes,
      until: new Date(Number(newestStart(parts) / 1_000_000n)).toISOString(),
    });
  }

  #storedDay(partition: Partition): StoredDay {
    const parts = partition.parts.map(({ entry }) => ({
      id: entry.id,
      startMaxNs: entry.maxStartNs,
      sizeBytes: entry.sizeBytes,
    }));
    return { day: partition.day, sizeBytes: partitionBytes(this.#options.disk, partition), parts };
  }

  #leave(leaving: Leaving): void {
    if (leaving.pinned.isPinned) this.#leaving.push(leaving);
  }

  #leavingBytes(): number {
    this.#leaving = this.#leaving.filter(({ pinned }) => pinned.isPinned);
    return this.#leaving.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  #count(reason: DropReason, dropped: DropCounts): void {
    const counts = this.#counts[reason];
    counts.partitions += dropped.partitions;
    counts.parts += dropped.parts;
    counts.rows += dropped.rows;
    counts.bytes += dropped.bytes;
  }

  #tell(what: string, day: number, fields: Readonly<Record<string, string | number>>): void {
    this.#options.logger.info(what, { partition: formatDay(day), ...fields });
  }
}

function rowsOf(parts: readonly LivePart[]): number {
  return parts.reduce((sum, { entry }) => sum + entry.rows, 0);
}

function newestStart(parts: readonly LivePart[]): bigint {
  return parts.reduce((newest, { entry }) => (entry.maxStartNs > newest ? entry.maxStartNs : newest), 0n);
}
