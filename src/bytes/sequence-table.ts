// Interns sequences of int32 (templates): equal sequences get equal ids in order of first occurrence. All entries are
// in one Int32Array. Ids are valid until clear().
import { assert } from '../base/assert.ts';
import { hashInts } from './hash.ts';
import { copyInto, placeAll } from './slots.ts';

export class SequenceTable {
  #ints = new Int32Array(1024);
  #ends = new Uint32Array(64);
  #hashes = new Uint32Array(64);
  #slots = new Int32Array(128);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of the entries with numbers, hashes and slots. Arrays double, so at most twice as much is allocated. */
  get usedBytes(): number {
    return this.#count === 0 ? 0 : 4 * this.#ends[this.#count - 1]! + 16 * this.#count;
  }

  /** All entries: `id` has ints[start(id)] … ints[end(id) - 1]. intern() may replace the array: do not keep it. */
  get ints(): Int32Array {
    return this.#ints;
  }

  start(id: number): number {
    return id === 0 ? 0 : this.#ends[id - 1]!;
  }

  end(id: number): number {
    return this.#ends[id]!;
  }

  /** The id of scratch[0, length); adds it if it is new. */
  intern(scratch: Int32Array, length: number): number {
    const hash = hashInts(scratch, 0, length);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, scratch, length)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    return this.#add(scratch, length, hash, slot);
  }

  #equals(id: number, scratch: Int32Array, length: number): boolean {
    const start = this.start(id);
    if (this.#ends[id]! - start !== length) return false;
    const ints = this.#ints;
    for (let i = 0; i < length; i++) if (ints[start + i] !== scratch[i]) return false;
    return true;
  }

  #add(scratch: Int32Array, length: number, hash: number, slot: number): number {
    assert(length <= scratch.length, 'a sequence longer than its scratch is interned');
    const id = this.#count;
    const start = id === 0 ? 0 : this.#ends[id - 1]!;
    if (start + length > this.#ints.length) {
      const size = Math.max(start + length, this.#ints.length * 2);
      this.#ints = copyInto(new Int32Array(size), this.#ints.subarray(0, start));
    }
    for (let i = 0; i < length; i++) this.#ints[start + i] = scratch[i]!;
    if (id === this.#ends.length) {
      this.#ends = copyInto(new Uint32Array(2 * id), this.#ends);
      this.#hashes = copyInto(new Uint32Array(2 * id), this.#hashes);
    }
    this.#ends[id] = start + length;
    this.#hashes[id] = hash;
    this.#slots[slot] = id + 1;
    this.#count = id + 1;
    const { length: slotCount } = this.#slots;
    if (this.#count * 2 > slotCount) this.#slots = placeAll(2 * slotCount, this.#hashes, this.#count);
    return id;
  }

  clear(): void {
    this.#count = 0;
    this.#slots.fill(0);
  }
}
