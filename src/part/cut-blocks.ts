// Divides rows into blocks. Whole traces stay together, so that a trace by id reads one block; the number of rows is
// bounded, so that the read decodes little. Pure.

/**
 * The index after the last row of each block; `traceEnds` has the same per trace. Splits only a trace above `rowsMax`.
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
