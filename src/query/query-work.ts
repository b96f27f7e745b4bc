// The cost of a query: blocks left out and why, blocks opened, bytes. Used for its budget, explain=1 and metrics. Plain data
// that crosses threads.
import type { ByteMeter } from '../block/block-reader.ts';
import { BLOCK_FATES, type BlockFate } from '../trace/search-explanation.ts';

/** Fields as in SearchExplanation. */
export interface QueryWork extends ByteMeter {
  readonly partitions: number;
  readonly parts: number;
  blocks: number;
  logBlocks: number;
  readonly fates: Record<BlockFate, number>;
  bytes: number;
  readonly times: QueryTimes;
}

/** Milliseconds on the query thread. */
export interface QueryTimes {
  /** The whole query. */
  ranMs: number;
  /** Of them, reading and matching blocks, and making traces of what was read. The rest is choosing what to read. */
  readMs: number;
  answerMs: number;
}

export function newWork({
  partitions,
}: {
  readonly partitions: readonly { readonly parts: readonly unknown[] }[];
}): QueryWork {
  return {
    partitions: partitions.length,
    parts: partitions.reduce((sum, { parts }) => sum + parts.length, 0),
    blocks: 0,
    logBlocks: 0,
    fates: Object.fromEntries(BLOCK_FATES.map((fate) => [fate, 0])) as Record<BlockFate, number>,
    bytes: 0,
    times: { ranMs: 0, readMs: 0, answerMs: 0 },
  };
}
