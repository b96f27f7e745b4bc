// Terms: 64-bit hashes of the values that a search can look for in a block. A part keeps a filter of each block's
// terms, so a search for a rare value opens only the blocks that have it. A common value has one term per operation
// that has it. So a search for one operation's spans skips blocks where only other operations have the value, or where
// no operation has both values of the search. Writer and query must agree: both make their terms here. The hash is part
// of the format (docs/format/part.md, "filters") and never changes within a version.
import { copyInto, placeAll } from '../bytes/slots.ts';
import type { HashPairs } from '../codec/fuse-filter.ts';
import type { BlockOutline } from './outline.ts';

/** The prefix of a term's payload, so that the text "1", the number 1 and a kind never collide. */
export const TERM_TEXT = 1; // an attribute's string value: key, bytes
export const TERM_WORDS = 2; // + type: an attribute's bool, int or double: key, two words
export const TERM_EMPTY = 16; // an attribute without value: key
export const TERM_INTRINSIC = 21; // + field number (templates.ts): text
export const TERM_EVENT_NAME = 48; // text
/** Bytes and lists are searched by printed form, which is too costly for every span: one term marks their presence. */
export const TERM_PRINTED = 49; // key

const SEED_LO = 0x243f6a88;
const SEED_HI = 0x85a308d3;

/** Two 32-bit hashes in step: MurmurHash3's block step with different constants and seeds. */
export class TermHash {
  lo = 0;
  hi = 0;

  begin(kind: number): this {
    this.lo = SEED_LO;
    this.hi = SEED_HI;
    return this.word(kind);
  }

  word(word: number): this {
    this.lo =
      Math.imul(rotate(this.lo ^ Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593), 13), 5) + 0xe6546b64;
    this.hi =
      Math.imul(rotate(this.hi ^ Math.imul(rotate(Math.imul(word, 0x85ebca6b), 16), 0xc2b2ae35), 17), 5) + 0x38b34ae5;
    return this;
  }

  bytes(bytes: Uint8Array, start: number, end: number): this {
    let i = start;
    for (; i + 4 <= end; i += 4) {
      this.word(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    }
    let tail = 0;
    for (let shift = 0; i < end; i++, shift += 8) tail |= bytes[i]! << shift;
    this.word(tail);
    return this.word(end - start);
  }

  /** Finishes the hash and stores it in `lo` and `hi`. */
  end(): this {
    this.lo = finish(this.lo ^ this.hi);
    this.hi = finish(this.hi + Math.imul(this.lo, 0x9e3779b1));
    return this;
  }
}

/** The operation in a term: service and span name, as listed to users. */
export function operationKey(service: string, name: string): Buffer {
  return Buffer.from(`${service}\0${name}`, 'utf8');
}

/**
 * Replaces the operation in a term that marks a value as having per-operation terms in this block. Without the mark, a
 * search would test the value with each operation of the block, and among many tests one is a false positive.
 */
export const SOME_OPERATION: Uint8Array = new Uint8Array(0);

/** Continues the hash to the per-operation term of the value; `operation` comes from operationKey. */
export function ofOperation(hash: TermHash, operation: Uint8Array | undefined): TermHash {
  return operation === undefined ? hash : hash.bytes(operation, 0, operation.length);
}

/** 30 bits of the hash: a small integer, so that a set of them holds no objects. */
function keyOf({ lo, hi }: TermHash): number {
  return (lo ^ Math.imul(hi, 0x9e3779b1)) & 0x3fffffff;
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function finish(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Collects the terms and the outline of a block during encoding. */
export class TermSet implements HashPairs {
  outline: BlockOutline = { operations: new Map(), resources: [], scopes: [] };
  lo = new Uint32Array(1024);
  hi = new Uint32Array(1024);
  count = 0;
  /** Open addressing over the hashes themselves: entry + 1 per slot. */
  #slots = new Int32Array(4096);
  readonly #hash = new TermHash();
  readonly #marked = new Set<number>();
  #prefixLo = 0;
  #prefixHi = 0;

  /** Sets the prefix of the next values: a kind (TERM_TEXT, TERM_WORDS + type, …) and an attribute's key, if any. */
  begin(kind: number, key?: Uint8Array): void {
    const hash = this.#hash.begin(kind);
    if (key !== undefined) hash.bytes(key, 0, key.length);
    this.#prefixLo = hash.lo;
    this.#prefixHi = hash.hi;
  }

  /** Adds the current prefix itself as a term. */
  add(): void {
    this.#add(this.#continue());
  }

  /** Adds a text; with `operation`, as a value of that operation's spans. */
  addBytes(bytes: Uint8Array, start: number, end: number, operation?: Uint8Array): void {
    this.#add(ofOperation(this.#continue().bytes(bytes, start, end), operation));
  }

  addWords(a: number, b: number, operation?: Uint8Array): void {
    this.#add(ofOperation(this.#continue().word(a).word(b), operation));
  }

  /** Marks a value of the current key. It adds no term. */
  markBytes(bytes: Uint8Array, start: number, end: number): void {
    this.#marked.add(keyOf(this.#continue().bytes(bytes, start, end)));
  }

  markWords(a: number, b: number): void {
    this.#marked.add(keyOf(this.#continue().word(a).word(b)));
  }

  /** True when the value was marked; rarely also for an unmarked value. */
  hasMarkedBytes(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#marked.has(keyOf(this.#continue().bytes(bytes, start, end)));
  }

  hasMarkedWords(a: number, b: number): boolean {
    return this.#marked.has(keyOf(this.#continue().word(a).word(b)));
  }

  #continue(): TermHash {
    const hash = this.#hash;
    hash.lo = this.#prefixLo;
    hash.hi = this.#prefixHi;
    return hash;
  }

  #add(hash: TermHash): void {
    const { lo, hi } = hash.end();
    const mask = this.#slots.length - 1;
    let slot = lo & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      if (this.lo[entry - 1] === lo && this.hi[entry - 1] === hi) return;
      slot = (slot + 1) & mask;
    }
    if (this.count === this.lo.length) {
      this.lo = copyInto(new Uint32Array(2 * this.count), this.lo);
      this.hi = copyInto(new Uint32Array(2 * this.count), this.hi);
    }
    this.lo[this.count] = lo;
    this.hi[this.count] = hi;
    this.#slots[slot] = ++this.count;
    const { length } = this.#slots;
    if (this.count * 2 > length) this.#slots = placeAll(2 * length, this.lo, this.count);
  }
}

/** High word of the canonical NaN. */
export const NAN_HIGH_WORD = 0x7ff80000;

/** True for the words of any NaN. All NaNs share one term, because a search for NaN matches each of them. */
export function isNaNWords(lo: number, hi: number): boolean {
  const high = hi & 0x7fffffff;
  return high > 0x7ff00000 || (high === 0x7ff00000 && lo !== 0);
}
