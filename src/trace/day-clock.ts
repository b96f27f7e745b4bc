// Converts the two words of start_time_unix_nano to (UTC day, exact ns since its midnight) without a bigint per span.
// ns since 1970 exceed 2^53, ns since midnight never do.
import { assert } from '../base/assert.ts';
import type { SpanBatch } from './span-batch.ts';
import type { RejectReason } from './store.ts';
import * as T from './templates.ts';

export const DAY_NS = 86_400_000_000_000;
const DAY_NS_BIG = 86_400_000_000_000n;
const TWO_32 = 4294967296;

export interface SpanTimes {
  readonly startLo: number;
  readonly startHi: number;
  readonly endLo: number;
  readonly endHi: number;
}

/** Receives the 64-bit fields that do not fit a double. */
export interface IntFieldSink {
  pushInt(field: number, lo: number, hi: number): void;
}

const anyDay = (): boolean => true;

export class DayClock {
  #minDay = 0;
  #minOffset = 0;
  #maxDay = 0;
  #maxOffset = 0;
  /** The last day and the words of its midnight: spans arrive in time order, so the next one is usually in it. */
  #day = 0;
  #dayLo = 0;
  #dayHi = 0;
  /** The day accepted last. */
  #acceptedDay = NaN;
  #acceptsDay: (day: number) => boolean = anyDay;

  /** Sets the accepted span starts (ns since the epoch, both inclusive) and which days between them are accepted. */
  setBounds(startMinNs: bigint, startMaxNs: bigint, acceptsDay: (day: number) => boolean = anyDay): void {
    this.#acceptedDay = NaN;
    this.#acceptsDay = acceptsDay;
    this.#minDay = Number(startMinNs / DAY_NS_BIG);
    this.#minOffset = Number(startMinNs % DAY_NS_BIG);
    this.#maxDay = Number(startMaxNs / DAY_NS_BIG);
    this.#maxOffset = Number(startMaxNs % DAY_NS_BIG);
  }

  /** Sets the row's day and start; returns the reason if they are outside the bounds. */
  place(batch: SpanBatch, row: number, lo: number, hi: number): RejectReason | undefined {
    let offset = (hi - this.#dayHi) * TWO_32 + (lo - this.#dayLo);
    if (!(offset >= 0 && offset < DAY_NS)) {
      this.#moveTo(lo, hi);
      offset = (hi - this.#dayHi) * TWO_32 + (lo - this.#dayLo);
      assert(offset >= 0 && offset < DAY_NS, `a start ${offset} ns from the midnight of its day`);
    }
    const day = this.#day;
    batch.day[row] = day;
    batch.start[row] = offset;
    if (day < this.#minDay || (day === this.#minDay && offset < this.#minOffset)) return 'too_small_timestamp';
    if (day > this.#maxDay || (day === this.#maxDay && offset > this.#maxOffset)) return 'too_big_timestamp';
    if (day !== this.#acceptedDay) {
      if (!this.#acceptsDay(day)) return 'too_many_days';
      this.#acceptedDay = day;
    }
    return undefined;
  }

  #moveTo(lo: number, hi: number): void {
    const day = ((BigInt(hi) << 32n) | BigInt(lo)) / DAY_NS_BIG;
    const midnight = day * DAY_NS_BIG;
    this.#day = Number(day);
    this.#dayLo = Number(midnight & 0xffffffffn);
    this.#dayHi = Number(midnight >> 32n);
  }

  /** Sets the row's exact duration; if the end is too far away for that, stores the end in FIELD_END_TIME. */
  setDuration(batch: SpanBatch, row: number, times: SpanTimes, sink: IntFieldSink): void {
    const high = times.endHi - times.startHi;
    if (high > -T.EXACT_HIGH_WORD_MAX && high < T.EXACT_HIGH_WORD_MAX) {
      batch.duration[row] = high * TWO_32 + (times.endLo - times.startLo);
      return;
    }
    batch.duration[row] = high > 0 ? 2 ** 53 : -(2 ** 53);
    sink.pushInt(T.FIELD_END_TIME, times.endLo, times.endHi);
  }
}
