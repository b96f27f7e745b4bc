// Sums by key: a hash table from an integer below 2^53 to two running totals. What calls are counted in, span by span:
// no object and no string per entry, slots numbered 0, 1, 2 … in order of first sight.

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
    const slot = this.count++;
    if (slot === this.keys.length) this.#grow();
    this.keys[slot] = key;
    this.calls[slot] = this.errors[slot] = 0;
    this.#places[place] = slot + 1;
    if (this.count * 2 > this.#places.length) this.#rehash();
    return slot;
  }

  clear(): void {
    this.count = 0;
    this.#places.fill(0);
  }

  #grow(): void {
    this.keys = grown(this.keys);
    this.calls = grown(this.calls);
    this.errors = grown(this.errors);
  }

  #rehash(): void {
    const places = new Int32Array(this.#places.length * 2);
    const mask = places.length - 1;
    for (let slot = 0; slot < this.count; slot++) {
      let place = hashKey(this.keys[slot]!) & mask;
      while (places[place] !== 0) place = (place + 1) & mask;
      places[place] = slot + 1;
    }
    this.#places = places;
  }
}

function hashKey(key: number): number {
  const high = Math.floor(key / 4294967296);
  const h = Math.imul((key - high * 4294967296) ^ Math.imul(high, 0x85ebca6b), 0xc2b2ae35);
  return h ^ (h >>> 15);
}

function grown(old: Float64Array): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(old.length * 2);
  grown.set(old);
  return grown;
}
