// The blocks of log files and parts that a flush or merge reads, as mergeParts takes them, with what is known of each in
// case it is damaged.
import { join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import { PART_DATA_FORMAT } from '../part/format-version.ts';
import type { MergeBlock } from '../part/merge-parts.ts';
import { openBlocks } from '../part/part-reader.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import type { SpanRows } from '../trace/store.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import type { LogFile } from './log-file.ts';
import type { KnownBlock, KnownInput } from './loss-records.ts';
import type { LivePart } from './part-set.ts';

export function bytesOf(parts: readonly LivePart[]): number {
  return parts.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
}

export function logInput({ path, blocks }: LogFile): KnownInput {
  return { path, blocks: blocks.map(({ offset, header }) => knownBlock({ ...header, offset })) };
}

/** Without the rows of it in `leftOut`. */
export function partInput({ path, metadata, identity }: LivePart, leftOut: readonly SpanRows[] = []): KnownInput {
  const flags = new Map(leftOut.filter(({ part }) => part === identity).map((rows) => [rows.block, rows.flags]));
  const blocks = metadata.blocks.map((block, number) => ({ ...knownBlock(block), leftOut: flags.get(number) }));
  return { path: join(path, DATA_FILE), blocks, isPart: true };
}

function knownBlock(block: MergeBlock & KnownBlock): MergeBlock & KnownBlock {
  const { offset, sizeBytes, tenant, startMin, startMax, rowCount } = block;
  return { offset, sizeBytes, tenant, startMin, startMax, rowCount };
}

/** Why the part's data cannot be read: it is missing, another part's, or unreachable; undefined: it can. Throws DISK. */
export function dataFault(disk: Disk, part: LivePart): DamagedPlace | undefined {
  const path = join(part.path, DATA_FILE);
  try {
    openBlocks(disk, path, PART_DATA_FORMAT).close();
    return undefined;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { path, offset: 0, sizeBytes: 0, message: error.message };
  }
}
