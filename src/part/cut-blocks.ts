// Where one block ends and the next begins: whole traces together, so that a trace by id reads one block, and a bound
// on rows, so that it decodes little. Pure.

/**
 * Index after the last row of each block, given the same for each trace. Only a trace above `rowsMax` rows is split.
 */
export function cutBlocks(traceEnds: Uint32Array, rowsMax: number): number[] {
  const blockEnds: number[] = [];
  let start = 0;
  let end = 0;
  for (const traceEnd of traceEnds) {
    if (traceEnd - start > rowsMax && end > start) {
      blockEnds.push(end);
      start = end;
    }
    for (; traceEnd - start > rowsMax; start += rowsMax) blockEnds.push(start + rowsMax);
    end = traceEnd;
  }
  if (end > start) blockEnds.push(end);
  return blockEnds;
}
