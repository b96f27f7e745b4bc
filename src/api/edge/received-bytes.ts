// Received bytes, in the pieces in which they came. Many small ones are copied together: each piece costs some 140 bytes
// beside its own, which nobody counts, and a client may send one byte at a time.
import { assert } from '../../base/assert.ts';

/** What is larger is never copied. */
const SMALL_BYTES: number = 8 << 10;
/** Small pieces in a row that become one. */
const SMALL_MAX = 256;

export class ReceivedBytes {
  #pieces: Buffer[] = [];
  #length = 0;
  /** Small ones at the end. */
  #small = 0;

  /** Of all pieces. */
  get length(): number {
    return this.#length;
  }

  /** Pieces that are held. */
  get pieceCount(): number {
    return this.#pieces.length;
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#small = piece.length < SMALL_BYTES ? this.#small + 1 : 0;
    if (this.#small < SMALL_MAX) return;
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-SMALL_MAX)));
    this.#small = 0;
  }

  /** Takes away the first `size` bytes of those that came. */
  cut(size: number): Buffer {
    assert(size <= this.#length, `${size} bytes cut from ${this.#length}`);
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#length);
    this.#pieces = size < whole.length ? [whole.subarray(size)] : [];
    this.#small = 0;
    this.#length -= size;
    return whole.subarray(0, size);
  }
}
