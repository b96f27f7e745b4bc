// The state of the store in numbers, summed over its partitions.
import { join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { formatDay } from '../partition/day.ts';
import { isParked } from '../partition/log-file.ts';
import type { Partition } from '../partition/partition.ts';
import type { StoredDay } from '../trace/inventory.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import { DAY_STATES, type DayState, type ParkedParts, type StoreStats } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { PartitionSet } from './partition-set.ts';

type PartitionStats = Omit<
  StoreStats,
  | 'rowsReceived'
  | 'rowsStored'
  | 'rowsRejected'
  | 'requestsMalformed'
  | 'requestsFailed'
  | 'tenants'
  | 'writesRepeated'
  | 'bytesReceived'
  | 'commits'
  | 'commitBytes'
  | 'isReadOnly'
  | 'freeDiskBytes'
  | 'totalDiskBytes'
  | 'diskBytesMax'
  | 'retentionDropped'
  | 'retentionWaitingDays'
  | 'retentionExcessBytes'
  | 'pendingRows'
  | 'mergesActive'
  | 'forceMergesActive'
  | 'logCounts'
>;

/** Bytes of a partition on disk, as -retention.maxDiskSpaceUsageBytes counts them. */
export function partitionBytes(disk: Disk, partition: Partition): number {
  return (
    bytesOfParts(partition) +
    partition.log.sizeBytes +
    (disk.stat(join(partition.path, 'index', 'data.mdb'))?.sizeBytes ?? 0)
  );
}

/** Bytes of parts and logs, by tenant. Indexes belong to no tenant. */
export function bytesByTenant(partitions: readonly Partition[]): Map<Tenant, number> {
  const bytes = new Map<Tenant, number>();
  const add = (tenant: Tenant, sizeBytes: number): void => void bytes.set(tenant, (bytes.get(tenant) ?? 0) + sizeBytes);
  for (const { parts, log } of partitions) {
    for (const { tenants } of parts) for (const [tenant, share] of tenants) add(tenant, share);
    for (const { blocks } of log.files) for (const { header } of blocks) add(header.tenant, header.sizeBytes);
  }
  return bytes;
}

function bytesOfParts({ parts }: Partition): number {
  return parts.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
}

/** Sums over the open partitions, plus the counters of partitions dropped since start. */
export function collectStats(disk: Disk, partitions: PartitionSet): PartitionStats {
  const { counters } = partitions;
  const rows = { partRows: 0, logRows: 0, blocks: 0, logBlocks: 0 };
  const bytes = { partBytes: 0, logBytes: 0, diskBytes: 0 };
  const sums = { ...rows, ...bytes, parts: 0, mergeWaitingParts: 0, losses: 0, lostParts: 0 };
  for (const partition of partitions.all) {
    for (const { entry } of partition.parts) {
      sums.parts++;
      sums.blocks += entry.blocks;
      sums.partRows += entry.rows;
    }
    for (const file of partition.log.files) sums.logBlocks += file.blocks.length;
    sums.losses += partition.losses.count;
    sums.lostParts += partition.losses.parts.length;
    sums.logRows += partition.log.rowCount;
    sums.partBytes += bytesOfParts(partition);
    sums.logBytes += partition.log.sizeBytes;
    sums.mergeWaitingParts += partition.mergeWaitingParts;
    sums.diskBytes += partitionBytes(disk, partition);
  }
  const quarantined = disk.stat(partitions.quarantinePath) === undefined ? [] : disk.list(partitions.quarantinePath);
  const quarantinedFiles = quarantined.filter((name) => !name.endsWith('.txt')).length;
  const days = Object.fromEntries(DAY_STATES.map((state) => [state, 0])) as Record<DayState, number>;
  for (const { state } of partitions.days) days[state]++;
  const parked = partitions.all.flatMap(parkedParts);
  const parkedLogFiles = new Map<string, number>();
  for (const { day, log } of partitions.all) {
    const count = log.files.filter(isParked).length;
    if (count > 0) parkedLogFiles.set(formatDay(day), count);
  }
  return { ...sums, ...counters, partitions: partitions.all.length, quarantinedFiles, days, parked, parkedLogFiles };
}

/** What is stored of each day that the store knows, by day. */
export function listStoredDays(disk: Disk, partitions: PartitionSet): StoredDay[] {
  const open = new Map(partitions.all.map((partition) => [partition.day, partition]));
  return partitions.days
    .map(({ day, name, state }) => {
      const partition = open.get(day);
      if (partition === undefined) return { name, state, spans: 0, bytes: 0, newestMs: undefined };
      const spans = partition.parts.reduce((sum, { entry }) => sum + entry.rows, partition.log.rowCount);
      return { name, state, spans, bytes: partitionBytes(disk, partition), newestMs: newestMsOf(partition) };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Start of the newest span, ms since the epoch. */
function newestMsOf({ day, parts, log }: Partition): number | undefined {
  const inParts = parts.map(({ entry }) => Number(entry.maxStartNs / 1_000_000n));
  const inLog = log.files.flatMap(({ blocks }) => blocks.map(({ header }) => header.startMax));
  const newest = Math.max(...inParts, ...inLog.map((startMax) => (day * DAY_NS + startMax) / 1e6));
  return newest === -Infinity ? undefined : Math.floor(newest);
}

function parkedParts({ day, parts }: Partition): ParkedParts[] {
  const counts = new Map<string, number>();
  for (const { entry } of parts)
    if (entry.parked !== undefined) counts.set(entry.parked, (counts.get(entry.parked) ?? 0) + 1);
  return [...counts].map(([reason, count]) => ({ partition: formatDay(day), reason, parts: count }));
}
