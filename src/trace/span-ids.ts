// The spans of one trace by id, to find parents and repeated ids when a whole trace is processed.
import { assert } from '../base/assert.ts';

/** A hash table whose memory is reused from trace to trace. An id maps to its first row. */
export class SpanIds {
  #lo = new Uint32Array(64);
  #hi = new Uint32Array(64);
  /** Row + 1; 0: free. */
  #rows = new Int32Array(64);
  #mask = 0;
  /** Ids that may still be added. */
  #left = 0;

  /** Empties the table and makes room for `count` ids. */
  begin(count: number): void {
    let size = 8;
    while (size < 2 * count) size *= 2;
    if (size > this.#rows.length) {
      this.#lo = new Uint32Array(size);
      this.#hi = new Uint32Array(size);
      this.#rows = new Int32Array(size);
    } else this.#rows.fill(0, 0, size);
    this.#mask = size - 1;
    this.#left = count;
  }

  /** Adds `row` under its id; returns -1, or the row that already has the id. */
  add(lo: number, hi: number, row: number): number {
    const place = this.#place(lo, hi);
    const known = this.#rows[place]! - 1;
    if (known >= 0) return known;
    // In a full table, a search for an absent id never ends.
    assert(this.#left-- > 0, 'more ids than the table was begun for');
    this.#lo[place] = lo;
    this.#hi[place] = hi;
    this.#rows[place] = row + 1;
    return -1;
  }

  /** The row added under the id, or -1. */
  find(lo: number, hi: number): number {
    return this.#rows[this.#place(lo, hi)]! - 1;
  }

  /** Span ids are random; only artificial ones need mixing. */
  #place(lo: number, hi: number): number {
    const h = Math.imul(lo ^ Math.imul(hi, 0x85ebca6b), 0xc2b2ae35);
    let place = (h ^ (h >>> 15)) & this.#mask;
    while (this.#rows[place] !== 0 && (this.#lo[place] !== lo || this.#hi[place] !== hi))
      place = (place + 1) & this.#mask;
    return place;
  }
}
