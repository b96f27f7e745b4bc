// The spans of one trace, gathered from all blocks that hold them, with the fields needed to count calls. The arrays
// are reused from trace to trace.
import { copyInto } from '../bytes/slots.ts';
import { assert } from '../base/assert.ts';
import type { CallColumns } from './call-columns.ts';

export class CallRows {
  count = 0;
  idLo = new Uint32Array(64);
  idHi = new Uint32Array(64);
  parentLo = new Uint32Array(64);
  parentHi = new Uint32Array(64);
  service = new Int32Array(64);
  series = new Int32Array(64);
  isError = new Uint8Array(64);
  /** ns since the day's midnight. */
  start = new Float64Array(64);
  duration = new Float64Array(64);

  /** Appends the rows of trace number `trace` of a block. */
  append(block: CallColumns, trace: number): void {
    const first = block.firsts[trace]!;
    const end = block.firsts[trace + 1]!;
    this.#reserve(end - first);
    for (let row = first, to = this.count; row < end; row++, to++) {
      const template = block.rowTemplates[row]!;
      this.idLo[to] = block.spanIds[2 * row]!;
      this.idHi[to] = block.spanIds[2 * row + 1]!;
      this.#setParent(to, block, row);
      this.service[to] = block.services[template]!;
      this.series[to] = block.series[template]!;
      this.isError[to] = block.isError[template]!;
      this.start[to] = block.starts[row]!;
      this.duration[to] = block.durations[row]!;
    }
    this.count += end - first;
  }

  #setParent(to: number, block: CallColumns, row: number): void {
    const parent = block.parents[row]!;
    const ids = parent >= 0 ? block.spanIds : block.orphanIds;
    const at = parent >= 0 ? 2 * parent : 2 * block.orphanRank(row);
    this.parentLo[to] = parent === -1 ? 0 : ids[at]!;
    this.parentHi[to] = parent === -1 ? 0 : ids[at + 1]!;
  }

  /** Appends rows [from, end) of `rows`. */
  appendRows(rows: CallRows, from: number, end: number): void {
    this.#reserve(end - from);
    const to = this.count;
    this.idLo.set(rows.idLo.subarray(from, end), to);
    this.idHi.set(rows.idHi.subarray(from, end), to);
    this.parentLo.set(rows.parentLo.subarray(from, end), to);
    this.parentHi.set(rows.parentHi.subarray(from, end), to);
    this.service.set(rows.service.subarray(from, end), to);
    this.series.set(rows.series.subarray(from, end), to);
    this.isError.set(rows.isError.subarray(from, end), to);
    this.start.set(rows.start.subarray(from, end), to);
    this.duration.set(rows.duration.subarray(from, end), to);
    this.count += end - from;
  }

  #reserve(more: number): void {
    if (this.count + more <= this.idLo.length) return;
    const size = Math.max(this.count + more, this.idLo.length * 2);
    this.idLo = copyInto(new Uint32Array(size), this.idLo);
    this.idHi = copyInto(new Uint32Array(size), this.idHi);
    this.parentLo = copyInto(new Uint32Array(size), this.parentLo);
    this.parentHi = copyInto(new Uint32Array(size), this.parentHi);
    this.service = copyInto(new Int32Array(size), this.service);
    this.series = copyInto(new Int32Array(size), this.series);
    this.isError = copyInto(new Uint8Array(size), this.isError);
    this.start = copyInto(new Float64Array(size), this.start);
    this.duration = copyInto(new Float64Array(size), this.duration);
  }
}

/** Copies of the rows of the current traces that were counted before, so that their blocks need not stay open. */
export class CountedRows {
  readonly #rows = new CallRows();
  /** The newest range of each trace (-1: none); for each range, its rows and the previous range. */
  #last = new Int32Array(0);
  readonly #ranges: { readonly from: number; readonly end: number; readonly before: number }[] = [];

  begin(traces: number): void {
    this.#rows.count = this.#ranges.length = 0;
    this.#last = new Int32Array(traces).fill(-1);
  }

  add(index: number, block: CallColumns, trace: number): void {
    assert(index < this.#last.length && trace < block.traceCount, 'a piece of a trace that nobody counts');
    const from = this.#rows.count;
    this.#rows.append(block, trace);
    this.#last[index] = this.#ranges.push({ from, end: this.#rows.count, before: this.#last[index]! }) - 1;
  }

  has(index: number): boolean {
    return this.#last[index]! >= 0;
  }

  appendTo(rows: CallRows, index: number): void {
    for (let at = this.#last[index]!; at >= 0; at = this.#ranges[at]!.before) {
      rows.appendRows(this.#rows, this.#ranges[at]!.from, this.#ranges[at]!.end);
    }
  }
}
