// Which blocks a search has read or skipped, to find out why it is slow (explain=1).
import type { CallContext } from './call-context.ts';
import type { TraceQuery } from './trace-query.ts';

/** Why a block was not read, or which data showed that it holds no match. In the order of the checks. */
export const BLOCK_FATES = [
  'time', // its spans lie outside the time range
  'duration', // no span of the service and operation has a duration in the range
  'operation', // no span has the service and operation
  'tags', // no span of the service and operation has the tags
  'limit', // all its spans are older than the matches found
  'damaged', // it could not be read
  'templates', // opened: its dictionaries and templates exclude a match
  'values', // opened: the values of its spans exclude a match
  'spanTimes', // opened: the starts and durations of its spans exclude a match
  'matched', // opened: it has matches
] as const;
export type BlockFate = (typeof BLOCK_FATES)[number];

export interface SearchExplanation {
  readonly partitions: number;
  readonly parts: number;
  /** Blocks of those days in the log and in parts (of all tenants in parts never opened); each has one fate. */
  readonly blocks: number;
  /** The number of these blocks that are in the log. */
  readonly logBlocks: number;
  readonly fates: Readonly<Record<BlockFate, number>>;
  /** Stored bytes used, read from disk or cached. */
  readonly bytes: number;
  readonly traces: number;
  /** Time waiting for a query thread, then running on it; without reading the traces found. */
  readonly waitedMs: number;
  readonly tookMs: number;
  readonly warnings: readonly string[];
}

export interface SearchExplainer {
  /** Runs a search without reading the traces it finds. */
  explainSearch(call: CallContext, query: TraceQuery): Promise<SearchExplanation>;
}
