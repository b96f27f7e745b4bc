// Carries out the decisions of retention.ts: drops days that are too old, then days and parts that do not fit, while queries
// run. A drop first removes parts from the catalog, or renames a whole day; the files are removed when no query reads them.
// Until then they count as gone, so that the same bytes are never freed twice. Files that a snapshot also holds are not
// dropped to save space: that would free nothing.
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
  /** Upper bound of stored bytes; 0: no limit. */
  readonly diskBytesMax: number;
  /** How full the file system may be, 1 to 100; 0: no limit. At most one of this and diskBytesMax is set. */
  readonly diskPercentMax: number;
  readonly usage: () => DiskUsage;
}

/** Dropped but still on disk: a query reads it, or its removal goes on. */
interface Leaving {
  readonly isGone: () => boolean;
  readonly sizeBytes: number;
}

/** How often the log repeats that a limit is exceeded. */
const EXCESS_LOGGED_MS = 3_600_000;

export class Dropper {
  readonly #options: DropperOptions;
  readonly #counts: Record<DropReason, { -readonly [K in keyof DropCounts]: DropCounts[K] }>;
  #leaving: Leaving[] = [];
  /** Bytes above the limit that must not be dropped, as of the last check. */
  #excessBytes = 0;
  #excessLoggedMs = -Infinity;

  constructor(options: DropperOptions) {
    this.#options = options;
    const none = { partitions: 0, parts: 0, rows: 0, bytes: 0 };
    this.#counts = { age: { ...none }, bytes: { ...none }, percent: { ...none } };
    // Days dropped during opening were not read, so only their number is counted.
    this.#counts.age.partitions = options.partitions.report.dropped.length;
  }

  /** Totals of drops since start. */
  get counts(): Readonly<Record<DropReason, DropCounts>> {
    return this.#counts;
  }

  /** Bytes above the limit that stay, because a snapshot keeps them on disk or they belong to the newest days. */
  get excessBytes(): number {
    return this.#excessBytes;
  }

  /** Drops what is due now. Throws DISK; drops before the error stay done. */
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
    // Other programs may fill the disk: that must not cost the newest spans.
    const bytesMax = bytesWithinPercent(sizeBytes, diskPercentMax, now);
    return { bytesMax, wholeFromDay, keptFromDay: wholeFromDay };
  }

  async #dropDay(number: number, reason: DropReason): Promise<void> {
    const { partitions, disk } = this.#options;
    const day = partitions.find(number);
    // An operator may have detached it meanwhile.
    if (day === undefined || (day.state !== 'open' && day.state !== 'failed')) return;
    const { partition } = day;
    if (reason !== 'age' && partition?.pinned.isPinned === true) {
      // While queries read its folder, the day could take no spans. So its parts are dropped now, its folder at a later run.
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
    const parts = partition.parts.map(({ entry, metadata, path }) => ({
      id: entry.id,
      logSeqMax: metadata.origin.logSeqMax,
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

/** Bytes of the files in `folder` that a snapshot also holds: removing them here does not free them. */
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
