// One frame of a `rollups` file: series of one hour, each with one row per minute. A series is a pair of names and a
// number: (service, operation, kind) with the latency histogram of its spans, or (caller, callee, 0), whose calls are
// in one bucket. The calls of a row are the sum of its counts. Counts are differences and may be negative. Byte layout:
// docs/format/part.md.
import { StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { LATENCY_BUCKETS } from '../trace/latency-buckets.ts';

export const HOUR_MINUTES = 60;
const EMPTY = Buffer.alloc(0);

export interface SeriesKey {
  readonly first: Uint8Array;
  readonly second: Uint8Array;
  /** Span kind; 0 for edges. */
  readonly kind: number;
}

/** The order of series in a frame and of frames in a run. */
export function compareSeries(x: SeriesKey, y: SeriesKey): number {
  return Buffer.compare(x.first, y.first) || Buffer.compare(x.second, y.second) || x.kind - y.kind;
}

export class FrameWriter {
  readonly #head = new ByteWriter();
  readonly #rows = new ByteWriter();
  #seriesCount = 0;
  #first: Uint8Array = EMPTY;
  #second: Uint8Array = EMPTY;

  get isEmpty(): boolean {
    return this.#seriesCount === 0;
  }

  get sizeBytes(): number {
    return this.#head.length + this.#rows.length;
  }

  /** Appends a series, in order. Leaves out totals of zero, and the whole series if all are zero. */
  add(key: SeriesKey, hour: HourTotals): void {
    const start = this.#rows.length;
    const rowCount = hour.write(this.#rows);
    if (rowCount === 0) return;
    this.#seriesCount++;
    writeName(this.#head, this.#first, key.first);
    writeName(this.#head, this.#second, key.second);
    this.#first = key.first;
    this.#second = key.second;
    this.#head.varint(key.kind);
    this.#head.varint(rowCount);
    this.#head.varint(this.#rows.length - start);
  }

  /** Returns the frame's bytes and empties the frame. */
  take(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(this.sizeBytes + 16);
    out.varint(this.#seriesCount);
    out.raw(this.#head.view());
    out.raw(this.#rows.view());
    this.#head.length = this.#rows.length = this.#seriesCount = 0;
    this.#first = this.#second = EMPTY;
    return out.take();
  }
}

/** The number of bytes shared with the previous name, then the rest. */
function writeName(out: ByteWriter, before: Uint8Array, name: Uint8Array): void {
  let shared = 0;
  while (shared < before.length && shared < name.length && before[shared] === name[shared]) shared++;
  out.varint(shared);
  out.varint(name.length - shared);
  out.rawRange(name, shared, name.length);
}

/** Totals of one series in one hour, by minute; rows are summed here before they are written. */
export class HourTotals {
  readonly #errors = new Float64Array(HOUR_MINUTES);
  readonly #counts = new Float64Array(HOUR_MINUTES * LATENCY_BUCKETS);
  /** Indexes in #counts that were added to: most of an hour's 25,000 never are. */
  readonly #touched: number[] = [];
  readonly #isTouched = new Uint8Array(HOUR_MINUTES * LATENCY_BUCKETS);
  /** First and last minute added to, inclusive. */
  #minuteMin = HOUR_MINUTES;
  #minuteMax = -1;

  addErrors(minute: number, errors: number): void {
    this.#errors[minute]! += errors;
    this.#minuteMin = Math.min(this.#minuteMin, minute);
    this.#minuteMax = Math.max(this.#minuteMax, minute);
  }

  /** Call addErrors for the same minute first. */
  addCount(minute: number, bucket: number, count: number): void {
    const at = minute * LATENCY_BUCKETS + bucket;
    this.#counts[at]! += count;
    if (this.#isTouched[at] === 1) return;
    this.#isTouched[at] = 1;
    this.#touched.push(at);
  }

  /** Total of calls added. */
  get calls(): number {
    return this.#touched.reduce((sum, at) => sum + this.#counts[at]!, 0);
  }

  /** Adds all totals to `target` and clears this one. */
  moveTo(target: HourTotals): void {
    for (let minute = this.#minuteMin; minute <= this.#minuteMax; minute++) {
      target.addErrors(minute, this.#errors[minute]!);
    }
    for (const at of this.#touched) {
      target.addCount(Math.floor(at / LATENCY_BUCKETS), at % LATENCY_BUCKETS, this.#counts[at]!);
    }
    this.#clear();
  }

  #clear(): void {
    for (const at of this.#touched) this.#counts[at] = this.#isTouched[at] = 0;
    this.#touched.length = 0;
    this.#errors.fill(0);
    this.#minuteMin = HOUR_MINUTES;
    this.#minuteMax = -1;
  }

  /** Writes the rows that are not zero and clears all; returns the number of rows written. */
  write(out: ByteWriter): number {
    const entries = this.#touched.filter((at) => this.#counts[at] !== 0).sort((x, y) => x - y);
    let written = 0;
    let before = 0;
    let from = 0;
    for (let minute = this.#minuteMin; minute <= this.#minuteMax; minute++) {
      let end = from;
      while (end < entries.length && entries[end]! < (minute + 1) * LATENCY_BUCKETS) end++;
      if (end > from || this.#errors[minute] !== 0) {
        out.varint(minute - before);
        out.varint(zigzag(this.#errors[minute]!));
        this.#writeCounts(out, entries, { from, end, base: minute * LATENCY_BUCKETS });
        before = minute;
        written++;
      }
      from = end;
    }
    this.#clear();
    return written;
  }

  #writeCounts(out: ByteWriter, entries: readonly number[], row: { from: number; end: number; base: number }): void {
    out.varint(row.end - row.from);
    let before = row.base;
    for (let i = row.from; i < row.end; i++) {
      const count = this.#counts[entries[i]!]!;
      const distance = entries[i]! - before;
      before = entries[i]!;
      // A count of 1 is the most common: the lowest bit of the distance marks it.
      out.varint(2 * distance + (count === 1 ? 0 : 1));
      if (count !== 1) out.varint(zigzag(count));
    }
  }
}

function zigzag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1;
}

function unzigzag(code: number): number {
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}

/** Walks a frame: nextSeries(), then nextRow() for each of its rows, or nextSeries() again to skip them. */
export class FrameReader implements SeriesKey {
  first: Uint8Array = EMPTY;
  second: Uint8Array = EMPTY;
  kind = 0;
  /** The current row: minute of the hour, calls, errors; its histogram is [0, bucketCount). */
  minute = 0;
  calls = 0;
  errors = 0;
  bucketCount = 0;
  readonly buckets = new Uint16Array(LATENCY_BUCKETS);
  readonly counts = new Float64Array(LATENCY_BUCKETS);
  readonly #head: ByteReader;
  readonly #rows: ByteReader;
  #seriesLeft: number;
  #rowsLeft = 0;
  #seriesEnd: number;

  /** `raw` is the content of a frame, as FrameWriter made it, after its checksum is verified. */
  constructor(raw: Uint8Array) {
    this.#head = new ByteReader(raw);
    this.#seriesLeft = this.#head.count(6);
    this.#rows = new ByteReader(raw, startOfRows(raw));
    this.#seriesEnd = this.#rows.pos;
  }

  /** Returns false at the end. Throws CORRUPTION. */
  nextSeries(): boolean {
    if (this.#seriesLeft === 0) return false;
    this.#seriesLeft--;
    const head = this.#head;
    this.first = readName(head, this.first);
    this.second = readName(head, this.second);
    this.kind = head.varint();
    this.#rowsLeft = head.varint();
    this.#rows.pos = this.#seriesEnd;
    this.#seriesEnd = this.#rows.pos + head.varint();
    this.minute = 0;
    return true;
  }

  /** Returns false after the series' last row. Throws CORRUPTION. */
  nextRow(): boolean {
    if (this.#rowsLeft === 0) return false;
    this.#rowsLeft--;
    const rows = this.#rows;
    this.minute += rows.varint();
    this.errors = unzigzag(rows.varint());
    this.bucketCount = rows.varint();
    if (this.minute >= HOUR_MINUTES || this.bucketCount > LATENCY_BUCKETS)
      throw new StoreError('CORRUPTION', `a roll-up of minute ${this.minute} with ${this.bucketCount} buckets`);
    let bucket = 0;
    let calls = 0;
    for (let i = 0; i < this.bucketCount; i++) {
      const code = rows.varint();
      const count = code % 2 === 0 ? 1 : unzigzag(rows.varint());
      bucket += Math.floor(code / 2);
      this.buckets[i] = bucket;
      this.counts[i] = count;
      calls += count;
    }
    if (bucket >= LATENCY_BUCKETS) throw new StoreError('CORRUPTION', `a roll-up with bucket ${bucket}`);
    this.calls = calls;
    return true;
  }

  /** Adds the rows of the series to `hour`. Throws CORRUPTION. */
  addRowsTo(hour: HourTotals): void {
    while (this.nextRow()) {
      hour.addErrors(this.minute, this.errors);
      for (let i = 0; i < this.bucketCount; i++) hour.addCount(this.minute, this.buckets[i]!, this.counts[i]!);
    }
  }
}

function readName(head: ByteReader, before: Uint8Array): Uint8Array {
  const shared = head.varint();
  const rest = head.view(head.varint());
  if (shared > before.length) throw new StoreError('CORRUPTION', 'a roll-up name shares more than there is');
  if (rest.length === 0 && shared === before.length) return before;
  return Buffer.concat([before.subarray(0, shared), rest]);
}

/** The offset of the rows, which follow the head of the last series. */
function startOfRows(raw: Uint8Array): number {
  const head = new ByteReader(raw);
  for (let left = head.count(6); left > 0; left--) {
    for (let name = 0; name < 2; name++) {
      head.varint();
      head.skip(head.varint());
    }
    for (let number = 0; number < 3; number++) head.varint();
  }
  return head.pos;
}
