// The columns of every span: ids, parent, start, duration, in trace-major order. Trace ids are written once per trace,
// parents as positions in it, starts as differences to a prediction (trace-clock.ts), durations by template.
import { assert } from '../base/assert.ts';
import { encodeNumbers } from '../codec/numbers.ts';
import { scratch } from '../bytes/scratch.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import { SpanIds } from '../trace/span-ids.ts';
import * as C from './block-columns.ts';
import type { ColumnWriter } from './column-writer.ts';
import type { Buckets } from './encode-section.ts';
import type { GroupBounds } from './row-group.ts';
import { TraceClock } from './trace-clock.ts';

/** Writes the columns of the rows of one group; returns their bounds. */
export function encodeTraceColumns(
  batch: SpanBatch,
  rows: Uint32Array,
  buckets: Pick<Buckets, 'rows'>,
  columns: ColumnWriter,
): GroupBounds {
  const count = rows.length;
  assert(buckets.rows.length === count, 'the buckets of other rows');
  const { used } = scratch;
  const starts = scratch.float64(count);
  const durations = scratch.float64(count);
  for (let i = 0; i < count; i++) {
    starts[i] = batch.start[rows[i]!]!;
    durations[i] = batch.duration[rows[i]!]!;
  }
  const firsts = traceFirsts(batch, rows);
  const parents = findParents(batch, rows, firsts);
  writeTraces({ firsts, starts, columns });
  writeParents(batch, rows, parents, columns);
  writeDurations(durations, buckets, columns);
  writeStarts(starts, durations, { firsts, parents, columns });
  const ids = new Uint8Array(batch.spanId.buffer);
  for (let i = 0; i < count; i++) columns.out.rawRange(ids, rows[i]! * 8, rows[i]! * 8 + 8);
  columns.end(C.COLUMN_SPAN_IDS, count, { isRandom: true });
  const [startMin, startMax] = range(starts);
  const [durationMin, durationMax] = range(durations);
  scratch.giveBack(used);
  return { rowCount: count, traceCount: firsts.length - 1, startMin, startMax, durationMin, durationMax };
}

/** The first of the rows (index) of each trace, then the row count. */
export function traceFirsts(batch: SpanBatch, rows: Uint32Array): Uint32Array {
  const ids = batch.traceId;
  const firsts: number[] = [0];
  for (let i = 1; i < rows.length; i++) {
    const x = rows[i - 1]! * 4;
    const y = rows[i]! * 4;
    if (ids[x] !== ids[y] || ids[x + 1] !== ids[y + 1] || ids[x + 2] !== ids[y + 2] || ids[x + 3] !== ids[y + 3])
      firsts.push(i);
  }
  firsts.push(rows.length);
  return Uint32Array.from(firsts);
}

/** Block position of each row's parent (first row of its trace with that span id); -1: none, -2: not in the trace. */
function findParents(batch: SpanBatch, rows: Uint32Array, firsts: Uint32Array): Int32Array {
  const parents = scratch.int32(rows.length);
  const { parentId } = batch;
  const { spanId } = batch;
  const ids = new SpanIds();
  for (let trace = 0; trace + 1 < firsts.length; trace++) {
    const end = firsts[trace + 1]!;
    ids.begin(end - firsts[trace]!);
    for (let i = firsts[trace]!; i < end; i++) ids.add(spanId[rows[i]! * 2]!, spanId[rows[i]! * 2 + 1]!, i);
    for (let i = firsts[trace]!; i < end; i++) {
      const at = rows[i]! * 2;
      const lo = parentId[at]!;
      const hi = parentId[at + 1]!;
      const parent = ids.find(lo, hi);
      parents[i] = lo === 0 && hi === 0 ? -1 : parent < 0 ? -2 : parent;
    }
  }
  return parents;
}

/** Writes the ids of the block's traces. `firsts`: the first row of each, then the row count. */
export function encodeTraceIds(batch: SpanBatch, rows: Uint32Array, firsts: Uint32Array, columns: ColumnWriter): void {
  const count = firsts.length - 1;
  const ids = new Uint8Array(batch.traceId.buffer);
  for (let trace = 0; trace < count; trace++) {
    const at = rows[firsts[trace]!]! * 16;
    columns.out.rawRange(ids, at, at + 16);
  }
  columns.end(C.COLUMN_TRACE_IDS, count, { isRandom: true });
}

function writeTraces(traces: { firsts: Uint32Array; starts: Float64Array; columns: ColumnWriter }): void {
  const { firsts, starts, columns } = traces;
  const count = firsts.length - 1;
  const sizes = scratch.float64(count);
  const gaps = scratch.float64(count);
  let previous = range(starts)[0];
  for (let trace = 0; trace < count; trace++) {
    const first = firsts[trace]!;
    sizes[trace] = firsts[trace + 1]! - first;
    gaps[trace] = starts[first]! - previous;
    previous = starts[first]!;
  }
  encodeNumbers(columns.out, sizes, count);
  columns.end(C.COLUMN_TRACE_SIZES, count);
  encodeNumbers(columns.out, gaps, count);
  columns.end(C.COLUMN_TRACE_STARTS, count);
}

function writeParents(batch: SpanBatch, rows: Uint32Array, parents: Int32Array, columns: ColumnWriter): void {
  const codes = scratch.float64(rows.length);
  const orphans: number[] = [];
  for (let i = 0; i < rows.length; i++) {
    const parent = parents[i]!;
    if (parent === -1) codes[i] = C.PARENT_NONE;
    else if (parent === -2) {
      codes[i] = C.PARENT_ORPHAN;
      orphans.push(rows[i]!);
    } else {
      // Not negative in a normal tree; negative if the parent is the row itself or a later row.
      const distance = i - parent - 1;
      codes[i] = C.PARENT_FIRST + (distance >= 0 ? 2 * distance : -2 * distance - 1);
    }
  }
  encodeNumbers(columns.out, codes, codes.length);
  columns.end(C.COLUMN_PARENTS, codes.length);
  if (orphans.length === 0) return;
  const ids = new Uint8Array(batch.parentId.buffer);
  for (const row of orphans) columns.out.rawRange(ids, row * 8, row * 8 + 8);
  columns.end(C.COLUMN_ORPHAN_PARENTS, orphans.length, { isRandom: true });
}

function writeDurations(durations: Float64Array, buckets: Pick<Buckets, 'rows'>, columns: ColumnWriter): void {
  const ordered = scratch.float64(durations.length);
  for (let i = 0; i < ordered.length; i++) ordered[i] = durations[buckets.rows[i]!]!;
  encodeNumbers(columns.out, ordered, ordered.length);
  columns.end(C.COLUMN_DURATIONS, ordered.length);
}

function writeStarts(
  starts: Float64Array,
  durations: Float64Array,
  traces: { firsts: Uint32Array; parents: Int32Array; columns: ColumnWriter },
): void {
  const { firsts, parents, columns } = traces;
  const clock = new TraceClock(starts, durations);
  const surprises = scratch.float64(starts.length - firsts.length + 1);
  let to = 0;
  for (let trace = 0; trace + 1 < firsts.length; trace++) {
    const first = firsts[trace]!;
    clock.observe(first, parents[first]!);
    for (let i = first + 1; i < firsts[trace + 1]!; i++) {
      surprises[to++] = starts[i]! - clock.predict(i, parents[i]!, first);
      clock.observe(i, parents[i]!);
    }
  }
  encodeNumbers(columns.out, surprises, to);
  columns.end(C.COLUMN_STARTS, to);
}

function range(values: Float64Array): [number, number] {
  let min = values[0]!;
  let max = min;
  for (let i = 1; i < values.length; i++) {
    if (values[i]! < min) min = values[i]!;
    else if (values[i]! > max) max = values[i]!;
  }
  return [min, max];
}
