// Calls, errors and latencies of a service, or of each of its operations, by minute, as the Monitor page shows them. Counts
// are collected in lists, one entry per bucket of a minute, and summed when all have been read.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import {
  bucketOfKey,
  minuteOfKey,
  numberOfKey,
  slotOfKey,
  type CallCounts,
  type CallNames,
} from '../block/call-counts.ts';
import { compareUtf8 } from '../trace/attributes.ts';
import type { FrameReader } from '../part/rollup-frame.ts';
import { TABLE_CALLS } from '../part/rollup-writer.ts';
import { LATENCY_BUCKETS } from '../trace/latency-buckets.ts';
import type { CallSeries, MetricsQuery } from '../trace/store.ts';
import { minutesOf, textOf, type CallTotals, type Minutes } from './call-totals.ts';

/** The calls of one answer, by the answer's series: (service, operation), or service alone. */
export class SeriesTotals implements CallTotals {
  readonly table = TABLE_CALLS;
  readonly minutes: Minutes;
  readonly #query: MetricsQuery;
  readonly #services: ReadonlySet<string>;
  readonly #kinds: ReadonlySet<number>;
  readonly #budget: EntryBudget;
  readonly #series: SeriesEntries[] = [];
  readonly #byName = new Map<string, Map<string | undefined, SeriesEntries>>();

  /** Throws LIMIT_EXCEEDED when it holds more than `entriesMax` buckets of minutes. */
  constructor(query: MetricsQuery, entriesMax: number = limits.callEntriesMax) {
    this.#query = query;
    this.#budget = { entriesLeft: entriesMax };
    this.minutes = minutesOf(query.startNs, query.endNs);
    this.#services = new Set(query.services);
    this.#kinds = new Set(query.kinds);
  }

  addCounts({ nodes, buckets }: CallCounts, names: CallNames): void {
    const known = new Map<number, SeriesEntries | undefined>();
    const seriesOf = (slot: number): SeriesEntries | undefined => {
      const series = numberOfKey(nodes.keys[slot]!);
      if (!known.has(series)) known.set(series, this.#seriesOf(series, names));
      return known.get(series);
    };
    for (let slot = 0; slot < nodes.count; slot++) {
      const minute = minuteOfKey(nodes.keys[slot]!);
      if (this.#hasMinute(minute)) seriesOf(slot)?.add(minute, ERRORS, nodes.errors[slot]!);
    }
    for (let i = 0; i < buckets.count; i++) {
      const slot = slotOfKey(buckets.keys[i]!);
      const minute = minuteOfKey(nodes.keys[slot]!);
      if (this.#hasMinute(minute)) seriesOf(slot)?.add(minute, bucketOfKey(buckets.keys[i]!), buckets.calls[i]!);
    }
  }

  /** Adds a frame of calls whose hour begins at `hourMinute`. Throws CORRUPTION. */
  addFrame(frame: FrameReader, hourMinute: number): void {
    while (frame.nextSeries()) {
      const { first, second, kind } = frame;
      const series = this.#findSeries(textOf(first), kind, () => textOf(second));
      while (series !== undefined && frame.nextRow()) {
        const minute = hourMinute + frame.minute;
        if (!this.#hasMinute(minute)) continue;
        if (frame.errors !== 0) series.add(minute, ERRORS, frame.errors);
        for (let i = 0; i < frame.bucketCount; i++) series.add(minute, frame.buckets[i]!, frame.counts[i]!);
      }
    }
  }

  #hasMinute(minute: number): boolean {
    return minute >= this.minutes.first && minute <= this.minutes.last;
  }

  #seriesOf(series: number, names: CallNames): SeriesEntries | undefined {
    const service = names.services.text(names.serviceOf(series));
    return this.#findSeries(service, names.kindOf(series), () => names.operations.text(names.operationOf(series)));
  }

  /** The answer's series; undefined if it was not requested. */
  #findSeries(service: string, kind: number, operationOf: () => string): SeriesEntries | undefined {
    if (!this.#services.has(service) || (this.#kinds.size > 0 && !this.#kinds.has(kind))) return undefined;
    const operation = this.#query.isByOperation ? operationOf() : undefined;
    let operations = this.#byName.get(service);
    if (operations === undefined) this.#byName.set(service, (operations = new Map()));
    let series = operations.get(operation);
    if (series === undefined) {
      series = new SeriesEntries(service, operation, this.#budget);
      operations.set(operation, series);
      this.#series.push(series);
    }
    return series;
  }

  /** Series with calls, sorted by (service, operation). `check` is called before each is built, and may throw. */
  result(check: () => void = () => undefined): CallSeries[] {
    const sums = new MinuteSums();
    return this.#series
      .map((series) => {
        check();
        return series.build(sums);
      })
      .filter(({ minutes }) => minutes.length > 0)
      .sort((x, y) => compareUtf8(x.service, y.service) || compareUtf8(x.operation ?? '', y.operation ?? ''));
  }
}

/** Marks the error count among the buckets of a minute. */
const ERRORS = LATENCY_BUCKETS;

/** Entries that all series of an answer may have together. */
interface EntryBudget {
  entriesLeft: number;
}

/** The entries of one series in reading order: 14 bytes for each bucket of each minute of each part. */
class SeriesEntries {
  readonly #budget: EntryBudget;
  readonly #service: string;
  readonly #operation: string | undefined;
  #minutes = new Uint32Array(64);
  #buckets = new Uint16Array(64);
  #values = new Float64Array(64);
  #count = 0;

  constructor(service: string, operation: string | undefined, budget: EntryBudget) {
    this.#budget = budget;
    this.#service = service;
    this.#operation = operation;
  }

  add(minute: number, bucket: number, value: number): void {
    const to = this.#count++;
    if (to === this.#values.length) this.#grow();
    this.#minutes[to] = minute;
    this.#buckets[to] = bucket;
    this.#values[to] = value;
  }

  #grow(): void {
    const size = 2 * this.#values.length;
    this.#budget.entriesLeft -= this.#values.length;
    if (this.#budget.entriesLeft < 0) {
      throw new StoreError(
        'LIMIT_EXCEEDED',
        'the calls asked for have too many minutes and latencies to add up; ask for fewer services or a shorter time',
      );
    }
    this.#minutes = new Uint32Array(this.#minutes.buffer.transfer(4 * size));
    this.#buckets = new Uint16Array(this.#buckets.buffer.transfer(2 * size));
    this.#values = new Float64Array(this.#values.buffer.transfer(8 * size));
  }

  /** Minutes with calls, ascending. */
  build(sums: MinuteSums): CallSeries {
    const { order, ends, first } = this.#byMinute();
    const rows: { minute: number; calls: number; errors: number; end: number }[] = [];
    const buckets: number[] = [];
    const counts: number[] = [];
    for (let i = 0, from = 0; i < ends.length; i++) {
      const end = ends[i]!;
      for (; from < end; from++) sums.add(this.#buckets[order[from]!]!, this.#values[order[from]!]!);
      const { calls, errors } = sums.take(buckets, counts);
      if (calls !== 0) rows.push({ minute: first + i, calls, errors, end: buckets.length });
    }
    return {
      service: this.#service,
      operation: this.#operation,
      minutes: Float64Array.from(rows, ({ minute }) => minute),
      calls: Float64Array.from(rows, ({ calls }) => calls),
      errors: Float64Array.from(rows, ({ errors }) => errors),
      bucketEnds: Uint32Array.from(rows, ({ end }) => end),
      buckets: Uint16Array.from(buckets),
      counts: Float64Array.from(counts),
    };
  }

  /** The entries grouped by minute: those of minute first + i end at ends[i] of order. */
  #byMinute(): { order: Uint32Array; ends: Uint32Array; first: number } {
    const minutes = this.#minutes.subarray(0, this.#count);
    let first = Infinity;
    let last = -1;
    for (const minute of minutes) {
      first = Math.min(first, minute);
      last = Math.max(last, minute);
    }
    const ends = new Uint32Array(this.#count === 0 ? 0 : last - first + 1);
    for (const minute of minutes) ends[minute - first]!++;
    for (let i = 0, total = 0; i < ends.length; i++) {
      const count = ends[i]!;
      ends[i] = total;
      total += count;
    }
    const order = new Uint32Array(this.#count);
    // Each end starts as the beginning of its minute and reaches the real end when all entries are placed.
    for (let i = 0; i < minutes.length; i++) order[ends[minutes[i]! - first]!++] = i;
    assert((ends.at(-1) ?? 0) === this.#count, 'entries of a series lie in none of its minutes');
    return { order, ends, first };
  }
}

/** Sums for one minute at a time. */
class MinuteSums {
  readonly #sums = new Float64Array(ERRORS + 1);

  add(bucket: number, value: number): void {
    this.#sums[bucket]! += value;
  }

  /** Appends the buckets that are not zero and begins the next minute. */
  take(buckets: number[], counts: number[]): { calls: number; errors: number } {
    let calls = 0;
    for (let bucket = 0; bucket < ERRORS; bucket++) {
      const count = this.#sums[bucket]!;
      if (count === 0) continue;
      calls += count;
      buckets.push(bucket);
      counts.push(count);
    }
    const errors = this.#sums[ERRORS]!;
    this.#sums.fill(0);
    return { calls, errors };
  }
}
