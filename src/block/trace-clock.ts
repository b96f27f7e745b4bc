// The prediction both sides of the start column make: where a span would start if nothing took time. Inside a trace a
// span follows its previous sibling's end, or its parent's start; the column holds what reality adds (field.md §3.4:
// 2.9 B instead of 3.5 B a span). Encoder and decoder run the same sums on the same exact doubles.

/** Beyond this, start + duration may not be an exact double, and a sibling's end is not used. */
const DURATION_EXACT_MAX = 2 ** 51;

export class TraceClock {
  /** End of the last child seen, by row inside the block; NaN before the first. */
  readonly #lastChildEnd: Float64Array;
  readonly #starts: Float64Array;
  readonly #durations: Float64Array;

  constructor(starts: Float64Array, durations: Float64Array) {
    this.#starts = starts;
    this.#durations = durations;
    this.#lastChildEnd = new Float64Array(starts.length).fill(NaN);
  }

  /** Predicted start of `row`, whose trace starts at row `first` and whose parent is row `parent` (or none: -1). */
  predict(row: number, parent: number, first: number): number {
    if (parent < 0 || parent >= row) return this.#starts[row - 1 >= first ? row - 1 : first]!;
    const sibling = this.#lastChildEnd[parent]!;
    return sibling === sibling ? sibling : this.#starts[parent]!;
  }

  /** Tells the true start of `row`, once it is known. */
  observe(row: number, parent: number): void {
    const duration = this.#durations[row]!;
    if (parent < 0 || parent >= row || duration > DURATION_EXACT_MAX || duration < 0) return;
    this.#lastChildEnd[parent] = this.#starts[row]! + duration;
  }
}
