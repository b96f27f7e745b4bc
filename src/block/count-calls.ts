// Counts the calls of a set of spans of one day: per minute, calls, errors and latencies of each (service, operation,
// kind), and calls between services. The count R depends on the set of spans only, not on the blocks they lie in:
//
// - Spans of a trace with equal id, parent, service, kind, start and duration are one call. The call is an error when
//   one of them is; its operation is the smallest of their names by bytes.
// - A call whose parent is a span of the same trace in another service is a call of an edge. If spans of several
//   services share the parent's id, the caller is the service with the smallest name by bytes.
//
// The result is a difference: R(counted ∪ new) − R(counted), where `counted` are the spans counted before. So the sum
// of successive counts, each over the spans new at its time, always equals R of all spans: a flush counts what it adds
// to the parts, and a merge of parts only adds their counts.
import { bucketOf } from '../trace/latency-buckets.ts';
import type { CallColumns } from './call-columns.ts';
import type { CallCounts, CallNames } from './call-counts.ts';
import { SpanIds } from '../trace/span-ids.ts';
import { CallRows, CountedRows } from './call-rows.ts';
import { TracePieces, type TraceIndex } from './trace-index.ts';

const MINUTE_NS = 60_000_000_000;
const DAY_MINUTES = 1440;

/** Spans that were counted before. */
export interface CountedSpans {
  /** Calls `visit` with each counted piece of `traces`: the trace's number in `traces`, the block, its number in it. */
  findPieces(traces: TraceIndex, names: CallNames, visit: PieceVisitor): void;
}

export type PieceVisitor = (number: number, block: CallColumns, trace: number) => void;

export class CallCounter {
  readonly #names: CallNames;
  readonly #counts: CallCounts;
  readonly #blocks: CallColumns[] = [];
  readonly #traces = new TracePieces();
  readonly #counted = new CountedRows();
  readonly #rows = new CallRows();
  readonly #ids = new SpanIds();
  /** For each series: the last minute and slot, the last calling service and its edge. */
  #memo = new SeriesMemo(0);

  constructor(names: CallNames, counts: CallCounts) {
    this.#names = names;
    this.#counts = counts;
  }

  /** Adds a block to be counted. All blocks are of one day and one tenant. */
  addBlock(block: CallColumns): void {
    const number = this.#blocks.push(block) - 1;
    for (let trace = 0; trace < block.traceCount; trace++) this.#traces.add(block.traceIds, number, trace);
  }

  /** Rows added and not counted yet. */
  get rowCount(): number {
    return this.#blocks.reduce((sum, block) => sum + block.starts.length, 0);
  }

  /** Counts the added rows as a difference to `counted`, then forgets them. */
  count(counted?: CountedSpans): void {
    this.#readCounted(counted);
    const { first, next, blocks, traces } = this.#traces;
    const { count } = this.#traces.index;
    this.#memo = new SeriesMemo(this.#names.series.count);
    for (let trace = 0; trace < count; trace++) {
      const piece = first[trace]!;
      const home = this.#blocks[blocks[piece]!]!;
      const isWhole = next[piece]! < 0 && !this.#counted.has(trace);
      if (isWhole && this.#countWhole(home, traces[piece]!)) continue;
      this.#gather(piece);
      const fresh = this.#rows.count;
      this.#counted.appendTo(this.#rows, trace);
      this.#countGathered(home.day, fresh);
    }
    this.#blocks.length = 0;
    this.#traces.clear();
  }

  #readCounted(counted: CountedSpans | undefined): void {
    const { index } = this.#traces;
    this.#counted.begin(index.count);
    counted?.findPieces(index, this.#names, (number, block, trace) => this.#counted.add(number, block, trace));
  }

  /** Counts a trace that lies in `block` alone. Returns false and counts nothing if a span id occurs twice in it. */
  #countWhole(block: CallColumns, trace: number): boolean {
    const { firsts, spanIds, rowTemplates, series, services, isError, parents, starts, durations } = block;
    const first = firsts[trace]!;
    const end = firsts[trace + 1]!;
    const ids = this.#ids;
    ids.begin(end - first);
    for (let row = first; row < end; row++) {
      if (ids.add(spanIds[2 * row]!, spanIds[2 * row + 1]!, row) >= 0) return false;
    }
    const dayMinute = block.day * DAY_MINUTES;
    for (let row = first; row < end; row++) {
      const template = rowTemplates[row]!;
      const call = { series: series[template]!, error: isError[template]!, sign: 1 };
      const minute = dayMinute + Math.floor(starts[row]! / MINUTE_NS);
      this.#add(minute, call, durations[row]!);
      const parent = parents[row]!;
      if (parent < 0) continue;
      const caller = services[rowTemplates[parent]!]!;
      if (caller !== services[template]) this.#addEdge(minute, call, caller);
    }
    return true;
  }

  #gather(piece: number): void {
    this.#rows.count = 0;
    const { next, blocks, traces } = this.#traces;
    for (let at = piece; at >= 0; at = next[at]!) this.#rows.append(this.#blocks[blocks[at]!]!, traces[at]!);
  }

  /** Counts the new rows [0, fresh) as a difference to the rows after them, which were counted before. */
  #countGathered(day: number, fresh: number): void {
    const rows = this.#rows;
    const ids = this.#ids;
    ids.begin(rows.count);
    let isSimple = true;
    for (let row = 0; row < rows.count && isSimple; row++) {
      isSimple = ids.add(rows.idLo[row]!, rows.idHi[row]!, row) < 0;
    }
    if (isSimple) return this.#countDistinct(day, fresh);
    this.#countSet(day, { from: 0, sign: 1 });
    if (fresh < rows.count) this.#countSet(day, { from: fresh, sign: -1 });
  }

  /** For traces without a repeated id: each new row is a call, and an edge is new when one of its ends is. */
  #countDistinct(day: number, fresh: number): void {
    const rows = this.#rows;
    for (let row = 0; row < rows.count; row++) {
      const call = { series: rows.series[row]!, error: rows.isError[row]!, sign: 1 };
      if (row < fresh) this.#add(this.#minute(day, row), call, rows.duration[row]!);
      const parent = this.#ids.find(rows.parentLo[row]!, rows.parentHi[row]!);
      if (parent < 0 || (row >= fresh && parent >= fresh)) continue;
      const caller = rows.service[parent]!;
      if (caller !== rows.service[row]) this.#addEdge(this.#minute(day, row), call, caller);
    }
  }

  /** Counts rows [from, count) as a set, `sign` times. */
  #countSet(day: number, set: { from: number; sign: number }): void {
    const rows = this.#rows;
    const order = new RowOrder(rows, this.#names);
    const sorted = Array.from({ length: rows.count - set.from }, (_, i) => set.from + i).sort((x, y) =>
      order.compare(x, y),
    );
    const ids = this.#ids;
    ids.begin(sorted.length);
    // Sorted so, the first row of an id has the smallest service name.
    for (const row of sorted) ids.add(rows.idLo[row]!, rows.idHi[row]!, row);
    for (let from = 0, end = 0; from < sorted.length; from = end) {
      let error = 0;
      for (; end < sorted.length && order.isSameCall(sorted[from]!, sorted[end]!); end++) {
        error |= rows.isError[sorted[end]!]!;
      }
      const row = sorted[from]!;
      const call = { series: rows.series[row]!, error, sign: set.sign };
      const minute = this.#minute(day, row);
      this.#add(minute, call, rows.duration[row]!);
      const parent = ids.find(rows.parentLo[row]!, rows.parentHi[row]!);
      if (parent >= 0 && rows.service[parent] !== rows.service[row]) {
        this.#addEdge(minute, call, rows.service[parent]!);
      }
    }
  }

  #add(minute: number, { series, error, sign }: Counted, duration: number): void {
    const memo = this.#memo;
    const { nodes } = this.#counts;
    let slot = memo.slot[series]!;
    if (memo.minute[series] === minute) {
      nodes.calls[slot]! += sign;
      nodes.errors[slot]! += sign * error;
    } else {
      slot = this.#counts.addCalls(series, minute, sign, sign * error);
      memo.minute[series] = minute;
      memo.slot[series] = slot;
    }
    this.#counts.addBucket(slot, bucketOf(duration), sign);
  }

  #addEdge(minute: number, { series, error, sign }: Counted, caller: number): void {
    const memo = this.#memo;
    if (memo.caller[series] !== caller) {
      memo.caller[series] = caller;
      memo.edge[series] = this.#names.edgeOf(caller, this.#names.serviceOf(series));
    }
    this.#counts.addEdge(memo.edge[series]!, minute, sign, sign * error);
  }

  #minute(day: number, row: number): number {
    return day * DAY_MINUTES + Math.floor(this.#rows.start[row]! / MINUTE_NS);
  }
}

/** A call that is counted `sign` times. */
interface Counted {
  readonly series: number;
  readonly error: number;
  readonly sign: number;
}

class SeriesMemo {
  readonly minute: Int32Array;
  readonly slot: Int32Array;
  readonly caller: Int32Array;
  readonly edge: Int32Array;

  constructor(series: number) {
    this.minute = new Int32Array(series).fill(-1);
    this.slot = new Int32Array(series);
    this.caller = new Int32Array(series).fill(-1);
    this.edge = new Int32Array(series);
  }
}

/** Total order of the rows of a trace by all fields that counting uses: id, service, the rest of a call, operation. */
class RowOrder {
  readonly #rows: CallRows;
  readonly #names: CallNames;

  constructor(rows: CallRows, names: CallNames) {
    this.#rows = rows;
    this.#names = names;
  }

  compare(x: number, y: number): number {
    return this.#compareCalls(x, y) || this.#compareOperations(x, y);
  }

  isSameCall(x: number, y: number): boolean {
    return this.#compareCalls(x, y) === 0;
  }

  #compareCalls(x: number, y: number): number {
    const { idLo, idHi, parentLo, parentHi, start, duration, series } = this.#rows;
    return (
      idLo[x]! - idLo[y]! ||
      idHi[x]! - idHi[y]! ||
      this.#compareServices(x, y) ||
      parentLo[x]! - parentLo[y]! ||
      parentHi[x]! - parentHi[y]! ||
      start[x]! - start[y]! ||
      duration[x]! - duration[y]! ||
      this.#names.kindOf(series[x]!) - this.#names.kindOf(series[y]!)
    );
  }

  #compareServices(x: number, y: number): number {
    const a = this.#rows.service[x]!;
    const b = this.#rows.service[y]!;
    return a === b ? 0 : Buffer.compare(this.#names.services.bytes(a), this.#names.services.bytes(b));
  }

  #compareOperations(x: number, y: number): number {
    const a = this.#names.operationOf(this.#rows.series[x]!);
    const b = this.#names.operationOf(this.#rows.series[y]!);
    return a === b ? 0 : Buffer.compare(this.#names.operations.bytes(a), this.#names.operations.bytes(b));
  }
}
