// Decodes the columns that every span has; the mirror of encode-traces.ts.
import { StoreError } from '../base/errors.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import * as C from './block-columns.ts';
import type { GroupReader } from './group-reader.ts';
import type { SectionRows } from './read-section.ts';
import { TraceClock } from './trace-clock.ts';

export interface TraceColumns {
  /** The first row of each trace, then the row count. */
  readonly firsts: Uint32Array;
  /** Row of the parent in the group, -1: none, -2: not in the trace (its id is in the orphan column, in row order). */
  readonly parents: Int32Array;
  /** ns since the day's midnight. */
  readonly starts: Float64Array;
  /** ns; see SpanBatch.duration. */
  readonly durations: Float64Array;
}

/** The rows of a group. */
export function readTraceColumns(group: GroupReader, spans: SectionRows): TraceColumns {
  const { rowCount, traceCount } = group;
  const firsts = readFirsts(group);
  const durations = readDurations(group, spans);
  const parents = readParents(group);
  const starts = new Float64Array(rowCount);
  const gaps = group.numbers(C.COLUMN_TRACE_STARTS);
  const surprises = group.numbers(C.COLUMN_STARTS);
  if (gaps.length !== traceCount || surprises.length !== rowCount - traceCount) {
    throw new StoreError('CORRUPTION', 'the start columns do not fit the rows');
  }
  const clock = new TraceClock(starts, durations);
  const { startMin, startMax, durationMin, durationMax } = group.bounds;
  let previous = startMin;
  let from = 0;
  for (let trace = 0; trace < traceCount; trace++) {
    const first = firsts[trace]!;
    previous += gaps[trace]!;
    starts[first] = previous;
    clock.observe(first, parents[first]!);
    for (let i = first + 1; i < firsts[trace + 1]!; i++) {
      starts[i] = clock.predict(i, parents[i]!, first) + surprises[from++]!;
      clock.observe(i, parents[i]!);
    }
  }
  checkRange(starts, startMin, startMax, 'start');
  checkRange(durations, durationMin, durationMax, 'duration');
  return { firsts, parents, starts, durations };
}

/** Searches prune by the bounds of blocks and groups, so a row outside them is damage. */
function checkRange(values: Float64Array, min: number, max: number, what: string): void {
  for (let i = 0; i < values.length; i++) {
    if (!(values[i]! >= min && values[i]! <= max)) {
      throw new StoreError('CORRUPTION', `a ${what} of ${values[i]} ns in a block of ${min} to ${max}`);
    }
  }
}

function readFirsts(group: GroupReader): Uint32Array {
  const { rowCount, traceCount } = group;
  const sizes = group.numbers(C.COLUMN_TRACE_SIZES);
  if (sizes.length !== traceCount) throw new StoreError('CORRUPTION', 'the trace sizes do not fit the traces');
  const firsts = new Uint32Array(traceCount + 1);
  let total = 0;
  for (let trace = 0; trace < traceCount; trace++) {
    const size = sizes[trace]!;
    if (!(size >= 1) || size >>> 0 !== size) throw new StoreError('CORRUPTION', `a trace of ${size} rows`);
    total += size;
    firsts[trace + 1] = total;
  }
  if (total !== rowCount) throw new StoreError('CORRUPTION', 'the trace sizes do not add up to the rows');
  return firsts;
}

function readDurations(group: GroupReader, spans: SectionRows): Float64Array {
  const { reader, count } = group.require(C.COLUMN_DURATIONS);
  if (count !== spans.rows.length) throw new StoreError('CORRUPTION', 'the durations do not fit the rows');
  const ordered = decodeNumbers(reader, count);
  const durations = new Float64Array(count);
  for (let i = 0; i < count; i++) durations[spans.rows[i]!] = ordered[i]!;
  return durations;
}

function readParents(group: GroupReader): Int32Array {
  const { rowCount } = group;
  const codes = group.numbers(C.COLUMN_PARENTS);
  if (codes.length !== rowCount) throw new StoreError('CORRUPTION', 'the parents do not fit the rows');
  const parents = new Int32Array(rowCount);
  for (let i = 0; i < rowCount; i++) {
    const code = codes[i]!;
    if (code < C.PARENT_FIRST) {
      parents[i] = code === C.PARENT_NONE ? -1 : -2;
      continue;
    }
    const zigzag = code - C.PARENT_FIRST;
    const parent = i - 1 - (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
    if (!(parent >= 0 && parent < rowCount)) throw new StoreError('CORRUPTION', `parent row ${parent} of ${rowCount}`);
    parents[i] = parent;
  }
  return parents;
}
