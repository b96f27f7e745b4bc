// Where a block is cut into row groups (docs/format/block.md): whole traces together, so that reading one trace costs its
// group and not its block.
import { assert } from '../base/assert.ts';

/**
 * A group ends with the trace that reaches this many rows. Fewer rows: a trace costs less to read. More rows: a search
 * decompresses fewer frames, and a group's own numbers and patterns weigh less per span.
 */
export const GROUP_ROWS_TARGET: number = 4_096;

/** The rows of a group, and the bounds by which a search leaves it out. */
export interface GroupBounds {
  readonly rowCount: number;
  readonly traceCount: number;
  /** First and last span start, ns since the day's midnight. */
  readonly startMin: number;
  readonly startMax: number;
  /** Shortest and longest span, ns. */
  readonly durationMin: number;
  readonly durationMax: number;
}

/**
 * For each group of a block, the index after its last trace. `traceFirsts`: the first row of each trace, then the row
 * count. What is left at the end is no group of its own if it has less than half of the rows of one.
 */
export function cutGroups(traceFirsts: Uint32Array, rowsTarget: number = GROUP_ROWS_TARGET): number[] {
  const traceCount = traceFirsts.length - 1;
  assert(traceCount > 0, 'a block without traces');
  const rowCount = traceFirsts[traceCount]!;
  const ends: number[] = [];
  let first = 0;
  for (let end = 1; end < traceCount; end++) {
    if (traceFirsts[end]! - first < rowsTarget || rowCount - traceFirsts[end]! < rowsTarget / 2) continue;
    ends.push(end);
    first = traceFirsts[end]!;
  }
  return [...ends, traceCount];
}
