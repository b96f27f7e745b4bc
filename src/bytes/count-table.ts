// A hash table from an integer below 2^53 to two running totals, for counting calls span by span: no object and no
// string per entry; slots are numbered 0, 1, 2 … in order of first occurrence.
import { assert } from '../base/assert.ts';
import { copyInto, placeAll } from './slots.ts';

export class CountTable {
  keys = new Float64Array(256);
  /** Totals by slot. */
  calls = new Float64Array(256);
  errors = new Float64Array(256);
  count = 0;
  /** Open addressing, slot + 1 per place, 0 = free; at most half full. */
  #places = new Int32Array(512);

  /** Adds to the totals of `key`; returns its slot. */
  add(key: number, calls: number, errors: number): number {
    const slot = this.slot(key);
    this.calls[slot]! += calls;
    this.errors[slot]! += errors;
    return slot;
  }

  /** The slot of `key`, with totals 0 when it is new. */
  slot(key: number): number {
    const mask = this.#places.length - 1;
    let place = hashKey(key) & mask;
    for (let entry = this.#places[place]!; entry !== 0; entry = this.#places[place]!) {
      if (this.keys[entry - 1] === key) return entry - 1;
      place = (place + 1) & mask;
    }
    // NaN equals no key: each would be an entry of its own.
    assert(key >= 0 && key <= Number.MAX_SAFE_INTEGER, 'a key that is no integer below 2^53');
    const slot = this.count++;
    if (slot === this.keys.length) {
      this.keys = copyInto(new Float64Array(2 * slot), this.keys);
      this.calls = copyInto(new Float64Array(2 * slot), this.calls);
      this.errors = copyInto(new Float64Array(2 * slot), this.errors);
    }
    this.keys[slot] = key;
    this.calls[slot] = this.errors[slot] = 0;
    this.#places[place] = slot + 1;
    const { length } = this.#places;
    if (this.count * 2 > length) this.#places = placeAll(2 * length, this.keys.map(hashKey), this.count);
    return slot;
  }

  clear(): void {
    this.count = 0;
    this.#places.fill(0);
  }
}

function hashKey(key: number): number {
  const high = Math.floor(key / 4294967296);
  const h = Math.imul((key - high * 4294967296) ^ Math.imul(high, 0x85ebca6b), 0xc2b2ae35);
  return h ^ (h >>> 15);
}
