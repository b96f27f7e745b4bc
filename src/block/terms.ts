// Terms: what a block can be asked for, as 64-bit hashes. A part keeps a filter of each block's terms, so that a search
// for a rare value opens only blocks that have it. A common value is one term with each operation that has it: a search
// for an operation's spans opens only blocks where they have that value, not others' spans, and two values that no span has together
// open none. Writer and query must agree: both make their terms here. The hash is
// part of the format (docs/format/part.md, "filters") and never changes within a version.
import { copyInto, placeAll } from '../bytes/slots.ts';
import type { HashPairs } from '../codec/fuse-filter.ts';
import type { BlockOutline } from './outline.ts';

/** What stands before the payload of a term, so that the text "1", the number 1 and a kind never collide. */
export const TERM_TEXT = 1; // an attribute's string value: key, bytes
export const TERM_WORDS = 2; // + type: an attribute's bool, int or double: key, two words
export const TERM_EMPTY = 16; // an attribute without value: key
export const TERM_INTRINSIC = 21; // + field number (templates.ts): text
export const TERM_EVENT_NAME = 48; // text
/** Bytes and lists are compared by their printed form, which is not made for every span: one term says they are there. */
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

  /** Ends the hash; lo and hi are then its words. */
  end(): this {
    this.lo = finish(this.lo ^ this.hi);
    this.hi = finish(this.hi + Math.imul(this.lo, 0x9e3779b1));
    return this;
  }
}

/** An operation in a term: service and span name, as they are listed. */
export function operationKey(service: string, name: string): Buffer {
  return Buffer.from(`${service}\0${name}`, 'utf8');
}

/**
 * Stands in the place of an operation: the value is among those that are here with their operations. Without it a search
 * would ask for the value with each operation of the block, and one of so many answers is yes by chance.
 */
export const SOME_OPERATION: Uint8Array = new Uint8Array(0);

/** Goes on to the term of the value as one of an operation's spans; `operation` as operationKey gives it. */
export function ofOperation(hash: TermHash, operation: Uint8Array | undefined): TermHash {
  return operation === undefined ? hash : hash.bytes(operation, 0, operation.length);
}

/** 53 bits of it, as one number. */
function keyOf({ lo, hi }: TermHash): number {
  return (lo >>> 0) + (hi & 0x1fffff) * 2 ** 32;
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

/** What a block can be asked for, collected while it is encoded: terms, and its outline. */
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

  /** What the next values belong to: an attribute's key, with TERM_TEXT or TERM_WORDS + type; names without key. */
  begin(kind: number, key?: Uint8Array): void {
    const hash = this.#hash.begin(kind);
    if (key !== undefined) hash.bytes(key, 0, key.length);
    this.#prefixLo = hash.lo;
    this.#prefixHi = hash.hi;
  }

  /** Adds the bare key or kind begun. */
  add(): void {
    this.#add(this.#continue());
  }

  /** Adds a text; with `operation`, as a value of its spans. */
  addBytes(bytes: Uint8Array, start: number, end: number, operation?: Uint8Array): void {
    this.#add(ofOperation(this.#continue().bytes(bytes, start, end), operation));
  }

  addWords(a: number, b: number, operation?: Uint8Array): void {
    this.#add(ofOperation(this.#continue().word(a).word(b), operation));
  }

  /** Remembers a value of what was begun. It adds no term. */
  markBytes(bytes: Uint8Array, start: number, end: number): void {
    this.#marked.add(keyOf(this.#continue().bytes(bytes, start, end)));
  }

  markWords(a: number, b: number): void {
    this.#marked.add(keyOf(this.#continue().word(a).word(b)));
  }

  /** True when the value was marked; by chance, of others too. */
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

/** High word of the one NaN that stands for all. */
export const NAN_HIGH_WORD = 0x7ff80000;

/** The words of a value as its term has them: every NaN is one, because a search for NaN means any of them. */
export function isNaNWords(lo: number, hi: number): boolean {
  const high = hi & 0x7fffffff;
  return high > 0x7ff00000 || (high === 0x7ff00000 && lo !== 0);
}
