// Adds up the calls a query asks for and gives them in the order of the answer.
import { bucketOfKey, CallCounts, minuteOfKey, numberOfKey, slotOfKey, type CallNames } from '../block/call-counts.ts';
import { compareUtf8 } from '../otlp/attributes.ts';
import { DAY_NS } from '../otlp/day-clock.ts';
import type { FrameReader } from '../part/rollup-frame.ts';
import { TABLE_CALLS, TABLE_EDGES } from '../part/rollup-writer.ts';
import type { CallSeries, Dependency, MetricsQuery } from '../trace/store.ts';

const MINUTE_NS = 60_000_000_000n;

/** Minutes since the epoch, both inclusive. */
export interface Minutes {
  readonly first: number;
  readonly last: number;
}

/** [startNs, endNs] rounded out to whole minutes. */
export function minutesOf(startNs: bigint, endNs: bigint): Minutes {
  return { first: Number(startNs / MINUTE_NS), last: Number(endNs / MINUTE_NS) };
}

/**
 * The days of a window, both ends inclusive: calls are counted by the day, and what a part counted may lie in minutes in
 * which none of its own spans start.
 */
export function wholeDays(startNs: bigint, endNs: bigint): { startMinNs: bigint; startMaxNs: bigint } {
  const dayNs = BigInt(DAY_NS);
  return { startMinNs: startNs - (startNs % dayNs), startMaxNs: endNs - (endNs % dayNs) + dayNs - 1n };
}

/** What an answer is added up in. */
export interface CallTotals {
  /** Which table of roll-ups it is made from. */
  readonly table: number;
  readonly minutes: Minutes;
  addFrame(frame: FrameReader, hourMinute: number): void;
  addCounts(counts: CallCounts, names: CallNames): void;
}

export class DependencyTotals implements CallTotals {
  readonly table = TABLE_EDGES;
  /** By caller, then callee. */
  readonly #links = new Map<string, Map<string, { calls: number; errors: number }>>();
  readonly minutes: Minutes;

  constructor(minutes: Minutes) {
    this.minutes = minutes;
  }

  addCounts(counts: CallCounts, names: CallNames): void {
    const { keys, calls, errors, count } = counts.edges;
    for (let slot = 0; slot < count; slot++) {
      const minute = minuteOfKey(keys[slot]!);
      if (minute < this.minutes.first || minute > this.minutes.last) continue;
      const edge = numberOfKey(keys[slot]!);
      const link = this.#link(names.services.text(names.callerOf(edge)), names.services.text(names.calleeOf(edge)));
      link.calls += calls[slot]!;
      link.errors += errors[slot]!;
    }
  }

  /** Adds a frame of edges whose hour begins at `hourMinute`. Throws CORRUPTION. */
  addFrame(frame: FrameReader, hourMinute: number): void {
    const first = this.minutes.first - hourMinute;
    const last = this.minutes.last - hourMinute;
    while (frame.nextSeries()) {
      let calls = 0;
      let errors = 0;
      while (frame.nextRow()) {
        if (frame.minute < first || frame.minute > last) continue;
        calls += frame.calls;
        errors += frame.errors;
      }
      const link = this.#link(textOf(frame.first), textOf(frame.second));
      link.calls += calls;
      link.errors += errors;
    }
  }

  #link(caller: string, callee: string): { calls: number; errors: number } {
    let callees = this.#links.get(caller);
    if (callees === undefined) this.#links.set(caller, (callees = new Map()));
    let link = callees.get(callee);
    if (link === undefined) callees.set(callee, (link = { calls: 0, errors: 0 }));
    return link;
  }

  /** Links with calls, sorted by (parent, child). */
  result(): Dependency[] {
    const out: Dependency[] = [];
    for (const [parent, callees] of this.#links) {
      for (const [child, { calls, errors }] of callees) {
        if (calls > 0) out.push({ parent, child, callCount: calls, errorCount: errors });
      }
    }
    return out.sort((x, y) => compareUtf8(x.parent, y.parent) || compareUtf8(x.child, y.child));
  }
}

/** The calls of one answer, by the answer's own series: (service, operation), or service alone. */
export class SeriesTotals implements CallTotals {
  readonly table = TABLE_CALLS;
  readonly #query: MetricsQuery;
  readonly minutes: Minutes;
  readonly #services: ReadonlySet<string>;
  readonly #kinds: ReadonlySet<number>;
  readonly #series: { readonly service: string; readonly operation: string | undefined }[] = [];
  readonly #byName = new Map<string, Map<string | undefined, number>>();
  readonly #counts = new CallCounts();

  constructor(query: MetricsQuery) {
    this.#query = query;
    this.minutes = minutesOf(query.startNs, query.endNs);
    this.#services = new Set(query.services);
    this.#kinds = new Set(query.kinds);
  }

  addCounts(counts: CallCounts, names: CallNames): void {
    const known = new Map<number, number>();
    const { keys, calls, errors, count } = counts.nodes;
    const slots = new Int32Array(count).fill(-1);
    for (let slot = 0; slot < count; slot++) {
      const minute = minuteOfKey(keys[slot]!);
      if (minute < this.minutes.first || minute > this.minutes.last) continue;
      const from = numberOfKey(keys[slot]!);
      let to = known.get(from);
      if (to === undefined) known.set(from, (to = this.#seriesOf(from, names)));
      if (to >= 0) slots[slot] = this.#counts.addCalls(to, minute, calls[slot]!, errors[slot]!);
    }
    const { buckets } = counts;
    for (let i = 0; i < buckets.count; i++) {
      const slot = slots[slotOfKey(buckets.keys[i]!)]!;
      if (slot >= 0) this.#counts.addBucket(slot, bucketOfKey(buckets.keys[i]!), buckets.calls[i]!);
    }
  }

  /** Adds a frame of calls whose hour begins at `hourMinute`. Throws CORRUPTION. */
  addFrame(frame: FrameReader, hourMinute: number): void {
    while (frame.nextSeries()) {
      const { first, second, kind } = frame;
      const to = this.#findSeries(textOf(first), kind, () => textOf(second));
      if (to < 0) continue;
      while (frame.nextRow()) {
        const minute = hourMinute + frame.minute;
        if (minute < this.minutes.first || minute > this.minutes.last) continue;
        const slot = this.#counts.addCalls(to, minute, frame.calls, frame.errors);
        for (let i = 0; i < frame.bucketCount; i++) this.#counts.addBucket(slot, frame.buckets[i]!, frame.counts[i]!);
      }
    }
  }

  #seriesOf(series: number, names: CallNames): number {
    const service = names.services.text(names.serviceOf(series));
    return this.#findSeries(service, names.kindOf(series), () => names.operations.text(names.operationOf(series)));
  }

  /** The answer's number of a series, or -1 when it is not asked for. */
  #findSeries(service: string, kind: number, operationOf: () => string): number {
    if (!this.#services.has(service) || (this.#kinds.size > 0 && !this.#kinds.has(kind))) return -1;
    const operation = this.#query.isByOperation ? operationOf() : undefined;
    let operations = this.#byName.get(service);
    if (operations === undefined) this.#byName.set(service, (operations = new Map()));
    const known = operations.get(operation);
    if (known !== undefined) return known;
    operations.set(operation, this.#series.length);
    return this.#series.push({ service, operation }) - 1;
  }

  /** Series with calls, sorted by (service, operation). */
  result(): CallSeries[] {
    const slots = this.#slotsOfSeries();
    const buckets = this.#bucketsOfSlots();
    const out = this.#series.map((name, series) => this.#build(name, slots[series]!, buckets));
    return out
      .filter(({ minutes }) => minutes.length > 0)
      .sort((x, y) => compareUtf8(x.service, y.service) || compareUtf8(x.operation ?? '', y.operation ?? ''));
  }

  /** Slots with calls of each series, by minute. */
  #slotsOfSeries(): number[][] {
    const { keys, calls, count } = this.#counts.nodes;
    const slots: number[][] = this.#series.map(() => []);
    for (let slot = 0; slot < count; slot++) if (calls[slot]! > 0) slots[numberOfKey(keys[slot]!)]!.push(slot);
    for (const list of slots) list.sort((x, y) => keys[x]! - keys[y]!);
    return slots;
  }

  /** Entries of the bucket table of each slot, in order of their buckets: [starts[slot], starts[slot + 1]) of entries. */
  #bucketsOfSlots(): { entries: Uint32Array; starts: Uint32Array } {
    const { keys, calls, count } = this.#counts.buckets;
    const entries = new Uint32Array(count);
    let used = 0;
    for (let entry = 0; entry < count; entry++) if (calls[entry]! > 0) entries[used++] = entry;
    const sorted = entries.subarray(0, used).sort((x, y) => keys[x]! - keys[y]!);
    const starts = new Uint32Array(this.#counts.nodes.count + 1);
    for (const entry of sorted) starts[slotOfKey(keys[entry]!) + 1]!++;
    for (let slot = 1; slot < starts.length; slot++) starts[slot] = starts[slot]! + starts[slot - 1]!;
    return { entries: sorted, starts };
  }

  #build(
    name: { service: string; operation: string | undefined },
    slots: readonly number[],
    { entries, starts }: { entries: Uint32Array; starts: Uint32Array },
  ): CallSeries {
    const { nodes, buckets } = this.#counts;
    const bucketEnds = new Uint32Array(slots.length);
    let total = 0;
    slots.forEach((slot, i) => (bucketEnds[i] = total += starts[slot + 1]! - starts[slot]!));
    const numbers = new Uint16Array(total);
    const counts = new Float64Array(total);
    let to = 0;
    for (const slot of slots) {
      for (let at = starts[slot]!; at < starts[slot + 1]!; at++, to++) {
        numbers[to] = bucketOfKey(buckets.keys[entries[at]!]!);
        counts[to] = buckets.calls[entries[at]!]!;
      }
    }
    return {
      ...name,
      minutes: Float64Array.from(slots, (slot) => minuteOfKey(nodes.keys[slot]!)),
      calls: Float64Array.from(slots, (slot) => nodes.calls[slot]!),
      errors: Float64Array.from(slots, (slot) => nodes.errors[slot]!),
      bucketEnds,
      buckets: numbers,
      counts,
    };
  }
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('utf8');
}
