// Times of a block's spans and events as 64-bit integers in two words, as filters compare them: instants in ns since the
// epoch, durations in ns. OTLP's times are unsigned; values above 2^63 - 1 count as 2^63 - 1.
import { DAY_NS } from '../trace/day-clock.ts';
import * as T from '../trace/templates.ts';
import type { Entries } from './filter-runs.ts';

const TWO_32 = 4_294_967_296;
const INT64_MAX = 2n ** 63n - 1n;

/** One integer a row. */
export class Times implements Entries {
  readonly type: number = T.TYPE_INT;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  readonly bytes: Uint8Array = new Uint8Array(0);

  constructor(count: number) {
    this.a = new Uint32Array(count);
    this.b = new Uint32Array(count);
  }

  /** Exact integers. */
  static of(values: Float64Array): Times {
    const times = new Times(values.length);
    for (let i = 0; i < values.length; i++) times.#sum(i, 0, 0, values[i]!);
    return times;
  }

  /** ns since a day's midnight → since the epoch. */
  static ofDay(day: number, values: Float64Array): Times {
    const times = new Times(values.length);
    const midnight = BigInt(day) * BigInt(DAY_NS);
    const lo = Number(midnight & 0xffff_ffffn);
    const hi = Number((midnight >> 32n) & 0xffff_ffffn);
    for (let i = 0; i < values.length; i++) times.#sum(i, lo, hi, values[i]!);
    return times;
  }

  /** Entry i is `base`'s entry rows[i] (without `rows`: entry i) + deltas[i]. */
  static sums(base: Times, deltas: Float64Array, rows?: Uint32Array): Times {
    const times = new Times(deltas.length);
    for (let i = 0; i < deltas.length; i++) {
      const row = rows === undefined ? i : rows[i]!;
      times.#sum(i, base.a[row]!, base.b[row]!, deltas[i]!);
    }
    return times;
  }

  #sum(i: number, lo: number, hi: number, delta: number): void {
    const high = Math.floor(delta / TWO_32);
    const low = lo + (delta - high * TWO_32);
    this.a[i] = low;
    this.b[i] = hi + high + (low >= TWO_32 ? 1 : 0);
  }

  at(i: number): bigint {
    return BigInt.asIntN(64, (BigInt(this.b[i]!) << 32n) | BigInt(this.a[i]!));
  }

  set(i: number, value: bigint): void {
    const kept = value > INT64_MAX ? INT64_MAX : value;
    this.a[i] = Number(kept & 0xffff_ffffn);
    this.b[i] = Number((kept >> 32n) & 0xffff_ffffn);
  }
}

/** An unsigned time from the wire. */
export function wireTime(lo: number, hi: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}
