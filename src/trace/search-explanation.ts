// What a search has read and what it left out, for people who ask why one is slow (explain=1).
import type { Tenant } from './tenant.ts';
import type { TraceQuery } from './trace-query.ts';

/** Why a block was not read, or what showed that it holds no match. In the order in which it is found out. */
export const BLOCK_FATES = [
  'time', // its spans lie outside the time range
  'duration', // none of service and operation is as long, or as short, as asked for
  'operation', // none is of the service and operation
  'tags', // none of service and operation has the tags
  'limit', // all its spans are older than the matches found
  'damaged', // it could not be read
  'templates', // opened: its dictionaries and templates exclude a match
  'values', // opened: the values of its spans do
  'spanTimes', // opened: starts and durations of its spans do
  'matched', // opened: it has matches
] as const;
export type BlockFate = (typeof BLOCK_FATES)[number];

export interface SearchExplanation {
  readonly partitions: number;
  readonly parts: number;
  /** Blocks of the tenant in parts and log of those days, of parts never opened those of all tenants; each has one fate. */
  readonly blocks: number;
  /** Those of them in the log. */
  readonly logBlocks: number;
  readonly fates: Readonly<Record<BlockFate, number>>;
  /** Stored bytes that were looked at, whether they were read from disk or kept from before. */
  readonly bytes: number;
  readonly traces: number;
  /** For a free query thread, then on it; reading the traces that were found is not in it. */
  readonly waitedMs: number;
  readonly tookMs: number;
  readonly warnings: readonly string[];
}

export interface SearchExplainer {
  /** Runs a search without reading the traces it finds. */
  explainSearch(tenant: Tenant, query: TraceQuery, signal?: AbortSignal): Promise<SearchExplanation>;
}
