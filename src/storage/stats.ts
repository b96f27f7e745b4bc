// The state of the store in numbers, added up over its partitions.
import { join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import type { Partition } from '../partition/partition.ts';
import type { StoreStats } from '../trace/store.ts';
import type { PartitionSet } from './partition-set.ts';

type PartitionStats = Omit<
  StoreStats,
  | 'rowsReceived'
  | 'rowsStored'
  | 'rowsRejected'
  | 'requestsMalformed'
  | 'bytesReceived'
  | 'commits'
  | 'commitBytes'
  | 'isReadOnly'
  | 'freeDiskBytes'
  | 'totalDiskBytes'
  | 'diskBytesMax'
  | 'retentionDropped'
>;

/** Bytes of a partition on disk: what -retention.maxDiskSpaceUsageBytes counts. */
export function partitionBytes(disk: Disk, partition: Partition): number {
  const parts = partition.parts.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
  return parts + partition.log.sizeBytes + (disk.stat(join(partition.path, 'index', 'data.mdb'))?.sizeBytes ?? 0);
}

/** Sums over the open partitions, and what the partitions dropped since start had counted. */
export function collectStats(disk: Disk, partitions: PartitionSet): PartitionStats {
  const { counters } = partitions;
  const sums = { parts: 0, blocks: 0, partRows: 0, logRows: 0, diskBytes: 0 };
  for (const partition of partitions.all) {
    for (const { entry } of partition.parts) {
      sums.parts++;
      sums.blocks += entry.blocks;
      sums.partRows += entry.rows;
    }
    for (const file of partition.log.files) sums.blocks += file.blocks.length;
    sums.logRows += partition.log.rowCount;
    sums.diskBytes += partitionBytes(disk, partition);
  }
  const quarantinedFiles = disk.list(partitions.quarantinePath).filter((name) => !name.endsWith('.txt')).length;
  return { ...sums, ...counters, partitions: partitions.all.length, quarantinedFiles };
}
