// Divides rows into blocks. Whole traces stay together, so that a trace by id reads one block; the number of rows is
// bounded, so that the read decodes little. Pure.

/**
 * The index after the last row of each block; `traceEnds` has the same per trace. Splits only a trace above `rowsMax`. Blocks are
 * about equal: a short last one would compress worse, and a merge would have to encode it again.
 */
export function cutBlocks(traceEnds: Uint32Array, rowsMax: number): number[] {
  const blockEnds: number[] = [];
  const rows = traceEnds.at(-1) ?? 0;
  let start = 0;
  let end = 0;
  let target = 0;
  const cut = (at: number): void => {
    if (at > 0) blockEnds.push(at);
    start = at;
    target = (rows - at) / Math.ceil((rows - at) / rowsMax);
  };
  cut(0);
  for (const traceEnd of traceEnds) {
    if (traceEnd - start > rowsMax && end > start) cut(end);
    while (traceEnd - start > rowsMax) cut(start + rowsMax);
    end = traceEnd;
    if (end - start >= target) cut(end);
  }
  return blockEnds;
}
