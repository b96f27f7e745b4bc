// What a query has cost: blocks left out and by what, blocks opened, bytes. For its budget, for explain=1 and metrics.
import type { ByteMeter } from '../block/block-reader.ts';

/** Why a block was not read, or what showed that it holds no match. In the order in which it is found out. */
export const BLOCK_FATES = [
  'time', // its spans lie outside the time range
  'duration', // none is as long, or as short, as asked for
  'operation', // none is of the service and operation
  'tags', // no operation in it has the tags
  'limit', // all its spans are older than the matches found
  'damaged', // it could not be read
  'templates', // opened: its dictionaries and templates exclude a match
  'values', // opened: the values of its spans do
  'spanTimes', // opened: starts and durations of its spans do
  'matched', // opened: it has matches
] as const;
export type BlockFate = (typeof BLOCK_FATES)[number];

/** Plain data: it crosses threads. */
export interface QueryWork extends ByteMeter {
  readonly partitions: number;
  readonly parts: number;
  /** Blocks of the tenant, of parts and of the log. */
  blocks: number;
  logBlocks: number;
  readonly fates: Record<BlockFate, number>;
  /** Stored bytes that were looked at, whether they were read from disk or kept from before. */
  bytes: number;
}

export function newWork(snapshot: {
  readonly partitions: readonly { readonly parts: readonly unknown[] }[];
}): QueryWork {
  const { partitions } = snapshot;
  return {
    partitions: partitions.length,
    parts: partitions.reduce((sum, { parts }) => sum + parts.length, 0),
    blocks: 0,
    logBlocks: 0,
    fates: Object.fromEntries(BLOCK_FATES.map((fate) => [fate, 0])) as Record<BlockFate, number>,
    bytes: 0,
  };
}
