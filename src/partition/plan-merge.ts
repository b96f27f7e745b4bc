// Decides which parts of a partition to merge. Pure: takes parts by age, returns ids. Size-tiered: it merges parts of similar
// size, so a row is rewritten about once each time its part grows by MERGE_PARTS_MIN, and late spans never rewrite a day.
import type { PartId } from '../part/identity.ts';

export interface MergeCandidate {
  readonly id: PartId;
  readonly rows: number;
  readonly sizeBytes: number;
}

/**
 * With fewer parts, queries open fewer files, but merges cost more: rewriting a row takes 1.6 µs and 25 B of writing (shop
 * workload). With 8, a day of N flushes rewrites each row log8(N) times (8,640 flushes: about 4 times) and holds at most
 * some 7 parts of each size.
 */
export const MERGE_PARTS_MIN = 8;
/** Bounds the files that one merge holds open. */
export const MERGE_PARTS_MAX = 16;
/** The largest part of a merge may be at most this many times as large as the smallest: a tier. */
const TIER_RATIO = MERGE_PARTS_MIN;
/** Parts below this count as this large: merging many tiny parts is always worth it. */
const TIER_ROWS_MIN = 16_384;
/** A merge's output stays below this, so that no merge blocks small parts for minutes. Some 3 GB of blocks. */
export const MERGE_ROWS_MAX = 100_000_000;

/**
 * Ids of the parts to merge next, in the order of `parts` (oldest first); [] if no merge is worth it. Smallest tiers come
 * first. The chosen parts have at most `bytesMax` bytes together, so that the output fits into the free space.
 */
export function planMerge(parts: readonly MergeCandidate[], bytesMax: number = Infinity): PartId[] {
  const bySize = [...parts].sort((a, b) => tierRows(a) - tierRows(b));
  for (let first = 0; first + MERGE_PARTS_MIN <= bySize.length; first++) {
    const picked = pickTier(bySize, first, bytesMax);
    if (picked.length >= MERGE_PARTS_MIN) return parts.filter((part) => picked.includes(part)).map(({ id }) => id);
  }
  return [];
}

/** Parts from `first` on, by size, that are in one tier and fit into one merge. */
function pickTier(bySize: readonly MergeCandidate[], first: number, bytesMax: number): MergeCandidate[] {
  const rowsMax = tierRows(bySize[first]!) * TIER_RATIO;
  const picked: MergeCandidate[] = [];
  let rows = 0;
  let sizeBytes = 0;
  for (const part of bySize.slice(first, first + MERGE_PARTS_MAX)) {
    rows += part.rows;
    sizeBytes += part.sizeBytes;
    if (tierRows(part) > rowsMax || rows > MERGE_ROWS_MAX || sizeBytes > bytesMax) break;
    picked.push(part);
  }
  return picked;
}

function tierRows(part: MergeCandidate): number {
  return Math.max(part.rows, TIER_ROWS_MIN);
}
