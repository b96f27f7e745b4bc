// Sorts rows into block order: whole traces together, traces by their first start, spans by start; removes exact
// duplicates. The order is total (span id, then every byte of the span, break ties), so the same set of spans gives the
// same result whatever blocks, parts or days it came from.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { SpanWriterOtlp } from '../otlp/write-spans.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import { TraceIndex } from './trace-index.ts';

export interface Regrouped {
  /** Row numbers in the new order. */
  readonly rows: Uint32Array;
  /** For each trace, the index in `rows` after its last row. */
  readonly traceEnds: Uint32Array;
  /** Number of rows removed because an equal row (in every field) remains. */
  readonly duplicates: number;
}

/** Regroups `rows`, or every row of the batch. */
export function regroupByTrace(batch: SpanBatch, rows?: Uint32Array): Regrouped {
  const input = rows ?? Uint32Array.from({ length: batch.rowCount }, (_, row) => row);
  assert(input.length <= batch.rowCount, 'more rows to regroup than the batch has');
  const { grouped, ends } = groupRows(batch, input);
  const comparer = new RowComparer(batch);
  let from = 0;
  for (const end of ends) {
    sortRange(grouped, from, end, comparer);
    from = end;
  }
  return orderTraces(batch, grouped, ends, comparer);
}

/** Counting sort by trace id; traces in order of first appearance. */
function groupRows(batch: SpanBatch, input: Uint32Array): { grouped: Uint32Array; ends: Uint32Array } {
  const ids = batch.traceId;
  const traces = new TraceIndex(input.length);
  const counts = new Uint32Array(input.length);
  const traceOf = new Uint32Array(input.length);
  for (let i = 0; i < input.length; i++) {
    const trace = traces.add(ids, input[i]! * 4);
    counts[trace]!++;
    traceOf[i] = trace;
  }
  const ends = new Uint32Array(traces.count);
  const next = new Uint32Array(traces.count);
  let total = 0;
  for (let trace = 0; trace < traces.count; trace++) {
    next[trace] = total;
    total += counts[trace]!;
    ends[trace] = total;
  }
  const grouped = new Uint32Array(input.length);
  for (let i = 0; i < input.length; i++) grouped[next[traceOf[i]!]!++] = input[i]!;
  return { grouped, ends };
}

function sortRange(rows: Uint32Array, from: number, end: number, comparer: RowComparer): void {
  if (end - from > 24) {
    const sorted = Array.from(rows.subarray(from, end)).sort((x, y) => comparer.compare(x, y));
    rows.set(sorted, from);
    return;
  }
  for (let i = from + 1; i < end; i++) {
    const row = rows[i]!;
    let to = i;
    while (to > from && comparer.compare(rows[to - 1]!, row) > 0) {
      rows[to] = rows[to - 1]!;
      to--;
    }
    rows[to] = row;
  }
}

function orderTraces(batch: SpanBatch, grouped: Uint32Array, ends: Uint32Array, comparer: RowComparer): Regrouped {
  const order = Array.from(ends, (_, trace) => trace);
  const first = (trace: number): number => grouped[trace === 0 ? 0 : ends[trace - 1]!]!;
  order.sort((x, y) => {
    const a = first(x);
    const b = first(y);
    return (
      batch.day[a]! - batch.day[b]! ||
      batch.start[a]! - batch.start[b]! ||
      compareBytes(batch.traceId, a * 16, b * 16, 16)
    );
  });
  const rows = new Uint32Array(grouped.length);
  const traceEnds = new Uint32Array(order.length);
  let to = 0;
  for (let i = 0; i < order.length; i++) {
    const trace = order[i]!;
    const from = trace === 0 ? 0 : ends[trace - 1]!;
    for (let at = from; at < ends[trace]!; at++) {
      if (at > from && comparer.compare(rows[to - 1]!, grouped[at]!) === 0) continue;
      rows[to++] = grouped[at]!;
    }
    traceEnds[i] = to;
  }
  return { rows: rows.subarray(0, to), traceEnds, duplicates: grouped.length - to };
}

function compareBytes(words: Uint32Array, x: number, y: number, size: number): number {
  const bytes = new Uint8Array(words.buffer);
  for (let i = 0; i < size; i++) {
    const difference = bytes[x + i]! - bytes[y + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Total order of spans of one trace; 0 only for spans equal in every field, resource and scope included. */
class RowComparer {
  readonly #batch: SpanBatch;
  readonly #left: SpanWriterOtlp;
  readonly #right: SpanWriterOtlp;

  constructor(batch: SpanBatch) {
    this.#batch = batch;
    this.#left = new SpanWriterOtlp(batch, new ByteWriter());
    this.#right = new SpanWriterOtlp(batch, new ByteWriter());
  }

  compare(x: number, y: number): number {
    if (x === y) return 0;
    const { day, start, spanId } = this.#batch;
    if (day[x] !== day[y]) return day[x]! - day[y]!;
    if (start[x] !== start[y]) return start[x]! - start[y]!;
    return compareBytes(spanId, x * 8, y * 8, 8) || this.#compareAll(x, y);
  }

  #compareAll(x: number, y: number): number {
    const left = this.#write(this.#left, x);
    const right = this.#write(this.#right, y);
    return Buffer.compare(left, right) || this.#compareOrigins(x, y);
  }

  #write(writer: SpanWriterOtlp, row: number): Uint8Array {
    writer.out.length = 0;
    writer.writeSpan(row);
    return writer.out.view();
  }

  #compareOrigins(x: number, y: number): number {
    const { spanTemplates, template, resources, scopes } = this.#batch;
    const { ints } = spanTemplates;
    const headX = spanTemplates.start(template[x]!);
    const headY = spanTemplates.start(template[y]!);
    const resourceX = resources.bytes(ints[headX + T.SPAN_RESOURCE]!);
    const resourceY = resources.bytes(ints[headY + T.SPAN_RESOURCE]!);
    const scopeX = scopes.bytes(ints[headX + T.SPAN_SCOPE]!);
    const scopeY = scopes.bytes(ints[headY + T.SPAN_SCOPE]!);
    return Buffer.compare(resourceX, resourceY) || Buffer.compare(scopeX, scopeY);
  }
}
