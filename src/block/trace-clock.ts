// Predicts the start of a span, identically in encoder and decoder: a span starts at its previous sibling's end, or at
// its parent's start. The start column stores the difference to the prediction (field.md §3.4: 2.9 B instead of 3.5 B a
// span). Both sides compute the same sums on the same exact doubles.

/** Above this, start + duration may not be an exact double, so the sibling's end is not used. */
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

  /** The predicted start of `row`; `first` is the first row of its trace, `parent` its parent's row (-1: none). */
  predict(row: number, parent: number, first: number): number {
    if (parent < 0 || parent >= row) return this.#starts[row - 1 >= first ? row - 1 : first]!;
    const sibling = this.#lastChildEnd[parent]!;
    return sibling === sibling ? sibling : this.#starts[parent]!;
  }

  /** Records the true start of `row`, once it is known. */
  observe(row: number, parent: number): void {
    const duration = this.#durations[row]!;
    if (parent < 0 || parent >= row || duration > DURATION_EXACT_MAX || duration < 0) return;
    this.#lastChildEnd[parent] = this.#starts[row]! + duration;
  }
}
