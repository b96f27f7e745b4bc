// Does what retention.ts decides: drops days that are too old, then days and parts that do not fit, while queries run.
// What a drop removes is out of the catalog (parts) or renamed (a whole day) before its files go, and they go when no
// query reads them any more; until then they are counted as gone, so that the same bytes are never freed twice. What a
// snapshot keeps on disk is not dropped for want of space: that would free nothing.
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { PartId } from '../part/identity.ts';
import type { Disk } from '../disk/disk.ts';
import { DAY_MS, formatDay } from '../partition/day.ts';
import type { LivePart } from '../partition/part-set.ts';
import type { Partition } from '../partition/partition.ts';
import { DROP_REASONS, type DropCounts, type DropReason } from '../trace/store.ts';
import type { DiskUsage } from './disk-guard.ts';
import type { PartitionSet } from './partition-set.ts';
import {
  bytesWithinPercent,
  newestDays,
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

/** Dropped, but not off the disk: a query reads it, or its removal goes on. */
interface Leaving {
  readonly isGone: () => boolean;
  readonly sizeBytes: number;
}

/** How often the log says that a limit does not hold. */
const EXCESS_LOGGED_MS = 3_600_000;

export class Dropper {
  readonly #options: DropperOptions;
  readonly #counts: Record<DropReason, { -readonly [K in keyof DropCounts]: DropCounts[K] }>;
  #leaving: Leaving[] = [];
  /** Bytes above the limit that nothing may be dropped for, as of the last look. */
  #excessBytes = 0;
  #excessLoggedMs = -Infinity;

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

  /** Bytes above the limit that stay, because a snapshot keeps them on disk or they are of the newest days. */
  get excessBytes(): number {
    return this.#excessBytes;
  }

  /** Drops what is due now. Throws DISK: what was dropped until then is dropped. */
  async run(): Promise<void> {
    const { partitions } = this.#options;
    partitions.forgetPromisedDays();
    const droppable = partitions.days.filter(({ state }) => state === 'open' || state === 'failed');
    for (const day of partitions.ageGate.daysToDrop(droppable.map((one) => one.day))) await this.#dropDay(day, 'age');
    for (const reason of DROP_REASONS) await this.#dropForSpace(reason);
  }

  async #dropForSpace(reason: DropReason): Promise<void> {
    const before = this.#excess(reason);
    if (before === undefined) return;
    if (before.excessBytes > 0) {
      const days = this.#options.partitions.all.map((partition) => this.#storedDay(partition));
      for (const drop of planSpaceDrops(days, before.rule)) {
        if (drop.kind === 'day') await this.#dropDay(drop.day, reason);
        else await this.#dropParts(drop.day, drop.ids, reason);
      }
    }
    this.#excessBytes = this.#excess(reason)?.excessBytes ?? 0;
    this.#tellExcess(reason);
  }

  #excess(reason: DropReason): { rule: SpaceRule; excessBytes: number } | undefined {
    const { partitions, disk } = this.#options;
    const sizeBytes = partitions.all.reduce((sum, partition) => sum + partitionBytes(disk, partition), 0);
    const rule = this.#spaceRule(reason, sizeBytes);
    return rule === undefined ? undefined : { rule, excessBytes: Math.max(0, sizeBytes - rule.bytesMax) };
  }

  #tellExcess(reason: DropReason): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#excessBytes === 0 || nowMs - this.#excessLoggedMs < EXCESS_LOGGED_MS) return;
    this.#excessLoggedMs = nowMs;
    logger.error('retention: the limit on the disk does not hold, and nothing more may be dropped for it', {
      reason,
      bytesTooMany: this.#excessBytes,
      why: 'the newest two days stay, and what snapshots keep on disk frees nothing; delete snapshots or raise the limit',
    });
  }

  #spaceRule(reason: DropReason, sizeBytes: number): SpaceRule | undefined {
    const { clock, partitions, diskBytesMax, diskPercentMax, usage } = this.#options;
    const wholeFromDay = newestDays(
      partitions.all.map(({ day }) => day),
      Math.floor(clock.nowMs() / DAY_MS),
    );
    if (reason === 'bytes' && diskBytesMax > 0) return { bytesMax: diskBytesMax, wholeFromDay, keptFromDay: Infinity };
    if (reason !== 'percent' || diskPercentMax === 0) return undefined;
    const { freeBytes, totalBytes } = usage();
    const now = { freeBytes: freeBytes + this.#leavingBytes(), totalBytes };
    // What fills the disk may be somebody else's: it must not cost what was stored a moment ago.
    const bytesMax = bytesWithinPercent(sizeBytes, diskPercentMax, now);
    return { bytesMax, wholeFromDay, keptFromDay: wholeFromDay };
  }

  async #dropDay(number: number, reason: DropReason): Promise<void> {
    const { partitions, disk } = this.#options;
    const day = partitions.find(number);
    // Meanwhile an operator may have taken it out.
    if (day === undefined || (day.state !== 'open' && day.state !== 'failed')) return;
    const { partition } = day;
    if (reason !== 'age' && partition?.pinned.isPinned === true) {
      // While its folder is read the day could take no spans. Its parts go now, the folder at a later look.
      const ids = partition.parts.map(({ entry }) => entry.id);
      await this.#dropParts(number, ids, reason);
      return;
    }
    const parts = partition?.parts ?? [];
    const rows = (partition?.log.rowCount ?? 0) + rowsOf(parts);
    const sizeBytes = partition === undefined ? 0 : partitionBytes(disk, partition);
    let isGone = false;
    const gone = (): boolean => (isGone = true);
    day.gone.then(gone, gone);
    await day.drop();
    this.#leave({ isGone: () => isGone, sizeBytes });
    this.#count(reason, { partitions: 1, parts: parts.length, rows, bytes: sizeBytes });
    this.#tell('partition dropped', number, { reason, parts: parts.length, rows, bytes: sizeBytes });
  }

  async #dropParts(day: number, ids: readonly PartId[], reason: DropReason): Promise<void> {
    const parts = (await this.#options.partitions.find(day)?.partition?.dropParts(ids)) ?? [];
    if (parts.length === 0) return;
    for (const { pinned, entry } of parts) this.#leave({ isGone: () => !pinned.isPinned, sizeBytes: entry.sizeBytes });
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
    const { disk } = this.#options;
    const parts = partition.parts.map(({ entry, path }) => ({
      id: entry.id,
      startMaxNs: entry.maxStartNs,
      sizeBytes: entry.sizeBytes,
      freedBytes: Math.max(0, entry.sizeBytes - bytesKept(disk, path)),
    }));
    const sizeBytes = partitionBytes(disk, partition);
    const keptBytes = parts.reduce((sum, part) => sum + part.sizeBytes - part.freedBytes, 0);
    return { day: partition.day, sizeBytes, freedBytes: sizeBytes - keptBytes, parts };
  }

  #leave(leaving: Leaving): void {
    if (!leaving.isGone()) this.#leaving.push(leaving);
  }

  #leavingBytes(): number {
    this.#leaving = this.#leaving.filter(({ isGone }) => !isGone());
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

/** Of the files in `folder`: what a snapshot has too stays on disk whatever is removed here. */
function bytesKept(disk: Disk, folder: string): number {
  if (disk.stat(folder) === undefined) return 0;
  const stats = disk.list(folder).map((name) => disk.stat(join(folder, name)));
  return stats.reduce((sum, stat) => sum + (stat !== undefined && stat.links > 1 ? stat.sizeBytes : 0), 0);
}

function rowsOf(parts: readonly LivePart[]): number {
  return parts.reduce((sum, { entry }) => sum + entry.rows, 0);
}

function newestStart(parts: readonly LivePart[]): bigint {
  return parts.reduce((newest, { entry }) => (entry.maxStartNs > newest ? entry.maxStartNs : newest), 0n);
}
