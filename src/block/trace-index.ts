// Numbers traces by id, 0, 1, 2 … in order of first occurrence, and keeps the places of their pieces. Ids are 4 words,
// the bytes in memory order.
import { copyInto } from '../bytes/slots.ts';

export class TraceIndex {
  count = 0;
  /** 4 words a trace. */
  ids = new Uint32Array(4 * 256);
  /** Open addressing, number + 1 per slot, 0 = free; at most half full. */
  #slots: Int32Array;

  /** Has slots for `traces` at first, and grows beyond. */
  constructor(traces = 256) {
    let size = 512;
    while (size < 2 * traces) size *= 2;
    this.#slots = new Int32Array(size);
  }

  /** The number of the trace at words[at]; adds the trace if it is new. */
  add(words: Uint32Array, at: number): number {
    const slot = this.#slot(words, at);
    const known = this.#slots[slot]! - 1;
    if (known >= 0) return known;
    const number = this.count++;
    if (4 * number === this.ids.length) this.ids = copyInto(new Uint32Array(8 * number), this.ids);
    for (let word = 0; word < 4; word++) this.ids[4 * number + word] = words[at + word]!;
    this.#slots[slot] = number + 1;
    if (2 * this.count > this.#slots.length) this.#rehash();
    return number;
  }

  /** The number of the trace at words[at], or -1. */
  find(words: Uint32Array, at: number): number {
    return this.#slots[this.#slot(words, at)]! - 1;
  }

  clear(): void {
    this.count = 0;
    this.#slots.fill(0);
  }

  /** The slot of this trace, or the free slot where it belongs. */
  #slot(words: Uint32Array, at: number): number {
    const mask = this.#slots.length - 1;
    const { ids } = this;
    const h = Math.imul(words[at]! ^ Math.imul(words[at + 2]!, 0x85ebca6b) ^ words[at + 3]!, 0xc2b2ae35);
    let slot = (h ^ (h >>> 15)) & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      const to = 4 * (entry - 1);
      const isSame =
        ids[to] === words[at] &&
        ids[to + 1] === words[at + 1] &&
        ids[to + 2] === words[at + 2] &&
        ids[to + 3] === words[at + 3];
      if (isSame) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let number = 0; number < this.count; number++) this.#slots[this.#slot(this.ids, 4 * number)] = number + 1;
  }
}

/** Traces by id, and for each trace a linked list of its pieces. */
export class TracePieces {
  readonly index = new TraceIndex();
  /** First piece of each trace. */
  first = new Int32Array(256);
  /** For each piece: the next piece of its trace (-1: none), its block number, its trace number in that block. */
  next = new Int32Array(256);
  blocks = new Int32Array(256);
  traces = new Int32Array(256);
  #pieces = 0;

  /** Adds trace number `trace` of block number `block`, whose id is at words[4 * trace]. */
  add(words: Uint32Array, block: number, trace: number): void {
    const piece = this.#pieces++;
    if (piece === this.next.length) this.#grow();
    const known = this.index.count;
    const index = this.index.add(words, 4 * trace);
    this.next[piece] = index < known ? this.first[index]! : -1;
    this.blocks[piece] = block;
    this.traces[piece] = trace;
    this.first[index] = piece;
  }

  clear(): void {
    this.index.clear();
    this.#pieces = 0;
  }

  #grow(): void {
    const size = 2 * this.next.length;
    this.first = copyInto(new Int32Array(size), this.first);
    this.next = copyInto(new Int32Array(size), this.next);
    this.blocks = copyInto(new Int32Array(size), this.blocks);
    this.traces = copyInto(new Int32Array(size), this.traces);
  }
}
