// What flushes and merges of a partition have done since it was opened.

export interface PartitionCounters {
  flushes: number;
  merges: number;
  rowsMerged: number;
  /** Of them, those in blocks that were copied as they were. */
  rowsCopied: number;
  duplicatesRemoved: number;
  corruptBlocks: number;
  /** How often a name was not listed because of the bounds. */
  namesFolded: number;
}

export function noCounters(): PartitionCounters {
  return {
    flushes: 0,
    merges: 0,
    rowsMerged: 0,
    rowsCopied: 0,
    duplicatesRemoved: 0,
    corruptBlocks: 0,
    namesFolded: 0,
  };
}

export function addCounters(sum: PartitionCounters, more: PartitionCounters): void {
  for (const name of Object.keys(sum) as (keyof PartitionCounters)[]) sum[name] += more[name];
}
