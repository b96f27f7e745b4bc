// Which rows of a waterfall are shown while some are closed, and where a key leads. Rows are named by their index in depth-first
// order. Pure.
import type { TraceRow } from './trace-rows.ts';

type Rows = readonly Pick<TraceRow, 'depth'>[];

/** The index behind the last row below `row`. */
export function endOfSubtree(rows: Rows, row: number): number {
  const depth = rows[row]?.depth ?? 0;
  let end = row + 1;
  while (end < rows.length && rows[end]!.depth > depth) end++;
  return end;
}

export function hasChildren(rows: Rows, row: number): boolean {
  return (rows[row + 1]?.depth ?? 0) > (rows[row]?.depth ?? 0);
}

/** The rows that no closed one hides. */
export function openRows(rows: Rows, closed: ReadonlySet<number>): number[] {
  const open: number[] = [];
  for (let row = 0; row < rows.length; row = closed.has(row) ? endOfSubtree(rows, row) : row + 1) open.push(row);
  return open;
}

export interface GridState {
  /** The row that the keys move. */
  readonly active: number;
  readonly closed: ReadonlySet<number>;
}

/** What `key` makes of the state, as in the pattern "treegrid" of WAI-ARIA; undefined: the key means nothing here. */
export function pressKey(
  key: string,
  { active, closed }: GridState,
  { rows, open, pageRows }: { readonly rows: Rows; readonly open: readonly number[]; readonly pageRows: number },
): GridState | undefined {
  const at = open.indexOf(active);
  const go = (to: number): GridState => ({
    active: open[Math.min(Math.max(to, 0), open.length - 1)] ?? active,
    closed,
  });
  const isClosed = closed.has(active);
  switch (key) {
    case 'ArrowDown':
      return go(at + 1);
    case 'ArrowUp':
      return go(at - 1);
    case 'PageDown':
      return go(at + pageRows);
    case 'PageUp':
      return go(at - pageRows);
    case 'Home':
      return go(0);
    case 'End':
      return go(open.length - 1);
    case 'ArrowRight':
      if (!hasChildren(rows, active)) return { active, closed };
      return isClosed ? { active, closed: toggled(closed, active) } : go(at + 1);
    case 'ArrowLeft':
      if (hasChildren(rows, active) && !isClosed) return { active, closed: toggled(closed, active) };
      return { active: parentRow(rows, active), closed };
    default:
      return undefined;
  }
}

/** `closed` with `row` in it, or without it if it was. */
export function toggled(closed: ReadonlySet<number>, row: number): ReadonlySet<number> {
  const next = new Set(closed);
  if (!next.delete(row)) next.add(row);
  return next;
}

/** The row above that `row` hangs on; `row` itself at the top. */
function parentRow(rows: Rows, row: number): number {
  const depth = rows[row]?.depth ?? 0;
  let parent = row;
  while (parent > 0 && rows[parent]!.depth >= depth && depth > 0) parent--;
  return parent;
}
