// Number arrays that live as long as one step of an encoder: views of one buffer, taken in turn and given back together, like a
// stack. With an array of its own for each column, a thread that encodes makes a megabyte of garbage per thousand rows.
// One user at a time on a thread; whoever takes arrays notes `used` before and gives it back after.
import { assert } from '../base/assert.ts';

const START_BYTES: number = 1 << 16;
/** Larger needs get arrays of their own, which the garbage collector frees. */
const KEPT_BYTES_MAX: number = 8 << 20;

class Scratch {
  #buffer = new ArrayBuffer(START_BYTES);
  #used = 0;
  /** The most that was needed at a time. */
  #needed = 0;

  /** What is taken now, for giveBack(). */
  get used(): number {
    return this.#used;
  }

  /** Gives back every array that was taken since `used` was so much. They must not be used any more. */
  giveBack(used: number): void {
    assert(used >= 0 && used <= this.#used, `scratch is given back to ${used}, ${this.#used} are used`);
    this.#used = used;
    if (used === 0 && this.#needed > this.#buffer.byteLength && this.#buffer.byteLength < KEPT_BYTES_MAX)
      this.#buffer = new ArrayBuffer(Math.min(KEPT_BYTES_MAX, 2 * this.#needed));
  }

  /** `count` numbers of any value. */
  float64(count: number): Float64Array<ArrayBuffer> {
    const at = this.#take(8 * count);
    return at < 0 ? new Float64Array(count) : new Float64Array(this.#buffer, at, count);
  }

  uint32(count: number): Uint32Array<ArrayBuffer> {
    const at = this.#take(4 * count);
    return at < 0 ? new Uint32Array(count) : new Uint32Array(this.#buffer, at, count);
  }

  int32(count: number): Int32Array<ArrayBuffer> {
    const at = this.#take(4 * count);
    return at < 0 ? new Int32Array(count) : new Int32Array(this.#buffer, at, count);
  }

  /** Where in the buffer; -1: it is full. */
  #take(sizeBytes: number): number {
    const at = this.#used;
    const end = at + Math.ceil(sizeBytes / 8) * 8;
    if (end > this.#needed) this.#needed = end;
    if (end > this.#buffer.byteLength) return -1;
    this.#used = end;
    return at;
  }
}

/** The thread's one scratch memory. */
export const scratch: Scratch = new Scratch();
