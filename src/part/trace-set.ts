// The set of a part's traces, for lookups of many traces of which most are new: a Bloom filter of the part's trace
// keys. It is made from the trace lookup when most of that would be read anyway, and the thread keeps it for the next
// flush or query. So a flush costs time by its own traces, not by the day's: 20,000 new traces against 2 M take 3.4 ms
// of CPU instead of 14, 2,000 take 1.6 instead of 11. Making the set takes 60 ms, once per thread.
import type { Identity } from './identity.ts';

/** The filter passes some 2 % of the keys that are not in the part. */
const BITS_PER_TRACE = 10;
const BITS_PER_KEY = 3;
/** All bits of a key are in one cache line of the processor. */
const LINE_WORDS = 16;
/** Limit of all sets of a thread: a day of some 26 M traces. Further parts are looked up without a set. */
const BYTES_MAX: number = 32 << 20;

export class TraceSet {
  readonly #words: Uint32Array;
  readonly #lines: number;

  /** `count` is the number of traces to add. */
  constructor(count: number) {
    this.#lines = Math.max(1, Math.ceil((count * BITS_PER_TRACE) / (32 * LINE_WORDS)));
    this.#words = new Uint32Array(LINE_WORDS * this.#lines);
  }

  get sizeBytes(): number {
    return this.#words.byteLength;
  }

  /** `key` is a trace key of 40 bits. */
  add(key: number): void {
    const line = this.#lineOf(key);
    for (let i = 0, bits = bitsOf(key); i < BITS_PER_KEY; i++, bits >>>= 9)
      this.#words[line + ((bits >>> 5) & 15)]! |= 1 << (bits & 31);
  }

  mayHave(key: number): boolean {
    const line = this.#lineOf(key);
    for (let i = 0, bits = bitsOf(key); i < BITS_PER_KEY; i++, bits >>>= 9)
      if ((this.#words[line + ((bits >>> 5) & 15)]! & (1 << (bits & 31))) === 0) return false;
    return true;
  }

  /** Keys are hashes, so their upper bits spread evenly over the lines. */
  #lineOf(key: number): number {
    return LINE_WORDS * Math.floor((key / KEY_MAX) * this.#lines);
  }
}

const KEY_MAX: number = 2 ** 40;

/** 27 bits that depend on the whole key: three bit numbers of a line. */
function bitsOf(key: number): number {
  return Math.imul(Math.floor(key / 256) ^ Math.imul(key % 256, 0x01000193), 0x9e3779b1) >>> 5;
}

/** Sets by part; the least recently used is evicted first. */
export class TraceSets {
  readonly #bytesMax: number;
  readonly #sets = new Map<Identity, TraceSet>();
  #bytes = 0;

  constructor(bytesMax: number = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The set of part `identity` with `count` entries; `make` fills a new one. undefined: it is too large to keep. */
  find(identity: Identity, count: number, make: (set: TraceSet) => void): TraceSet | undefined {
    let set = this.#sets.get(identity);
    if (set === undefined) {
      set = new TraceSet(count);
      if (set.sizeBytes > this.#bytesMax) return undefined;
      make(set);
      this.#bytes += set.sizeBytes;
    }
    this.#sets.delete(identity);
    this.#sets.set(identity, set);
    for (const [oldest, one] of this.#sets) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#sets.delete(oldest);
      this.#bytes -= one.sizeBytes;
    }
    return set;
  }

  has(identity: Identity): boolean {
    return this.#sets.has(identity);
  }
}
