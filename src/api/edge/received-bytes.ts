// Received bytes, in pieces as they arrived. Small pieces are merged: each piece costs some 140 bytes that no budget counts,
// and a client may send one byte at a time.
import { assert } from '../../base/assert.ts';
import { SpentBuffers } from '../../base/idle-memory.ts';
import { freeBytes } from '../../bytes/free-bytes.ts';

/** Of this thread. The pieces of HTTP/2 share buffers: no piece can be freed by itself. */
const spent = new SpentBuffers();
/** Larger pieces are never copied. */
const SMALL_BYTES: number = 8 << 10;
/** This many small pieces in a row are merged into one. */
const SMALL_MAX = 256;

export class ReceivedBytes {
  #pieces: Buffer[] = [];
  #length = 0;
  /** Small pieces at the end. */
  #small = 0;

  /** Bytes of all pieces. */
  get length(): number {
    return this.#length;
  }

  get pieceCount(): number {
    return this.#pieces.length;
  }

  /** Takes over `piece`. */
  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#small = piece.length < SMALL_BYTES ? this.#small + 1 : 0;
    if (this.#small < SMALL_MAX) return;
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-SMALL_MAX)));
    this.#small = 0;
  }

  #joined(): Buffer {
    const whole = Buffer.concat(this.#pieces);
    assert(whole.length === this.#length, `${whole.length} bytes were received, ${this.#length} counted`);
    for (const piece of this.#pieces) if (!freeBytes(piece)) spent.add(piece.length);
    return whole;
  }

  /** Removes and returns the first `size` bytes. */
  cut(size: number): Buffer {
    assert(size >= 0 && size <= this.#length, `${size} bytes cut from ${this.#length}`);
    if (size === 0) return Buffer.alloc(0);
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : this.#joined();
    this.#pieces = size < whole.length ? [whole.subarray(size)] : [];
    this.#small = 0;
    this.#length -= size;
    return whole.subarray(0, size);
  }
}
