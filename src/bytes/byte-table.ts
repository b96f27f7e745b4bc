// Interns byte strings: equal bytes get equal ids, 0, 1, 2 … in order of first occurrence. All entries are in one
// arena; no object and no JS string per entry. Ids are valid until clear().
import { assert } from '../base/assert.ts';
import { hashBytes } from './hash.ts';
import { copyInto, placeAll } from './slots.ts';

/** clear() frees memory above this, which only unusual data needed. */
const KEPT_BYTES_MAX: number = 8 << 20;

export class ByteTable {
  #arena = new Uint8Array(4096);
  #ends = new Uint32Array(256);
  #hashes = new Uint32Array(256);
  /** Open addressing, id + 1 per slot, 0 = free; at most half full. */
  #slots = new Int32Array(512);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get arena(): Uint8Array {
    return this.#arena;
  }

  get sizeBytes(): number {
    return this.#count === 0 ? 0 : this.#ends[this.#count - 1]!;
  }

  /** Bytes of the entries with numbers, hashes and slots. Arrays double, so at most twice as much is allocated. */
  get usedBytes(): number {
    return this.sizeBytes + 16 * this.#count;
  }

  start(id: number): number {
    return id === 0 ? 0 : this.#ends[id - 1]!;
  }

  end(id: number): number {
    return this.#ends[id]!;
  }

  /** A view of entry `id`, valid until the next intern(). */
  bytes(id: number): Uint8Array {
    // An id of before clear() would name the bytes of another entry, or of none.
    assert(id >= 0 && id < this.#count, 'the bytes of an entry that is not in the table');
    return this.#arena.subarray(this.start(id), this.end(id));
  }

  /** Entry `id` as text; invalid UTF-8 becomes U+FFFD. Not for per-span paths. */
  text(id: number): string {
    return Buffer.from(this.#arena.buffer, this.start(id), this.end(id) - this.start(id)).toString('utf8');
  }

  /** True when entry `id` equals source[start, end). */
  equals(id: number, source: Uint8Array, start: number, end: number): boolean {
    let at = this.start(id);
    if (this.#ends[id]! - at !== end - start) return false;
    const arena = this.#arena;
    for (let i = start; i < end; i++) if (arena[at++] !== source[i]) return false;
    return true;
  }

  /** The id of source[start, end); adds it if it is new. */
  intern(source: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(source, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      if (this.#hashes[entry - 1] === hash && this.equals(entry - 1, source, start, end)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = this.#count + 1;
    return this.#add(source, start, end, hash);
  }

  #add(source: Uint8Array, start: number, end: number, hash: number): number {
    assert(start <= end && end <= source.length, 'bytes outside of their source are interned');
    const id = this.#count;
    const at = this.sizeBytes;
    const stop = at + end - start;
    if (stop > this.#arena.length) {
      this.#arena = copyInto(new Uint8Array(Math.max(stop, this.#arena.length * 2)), this.#arena.subarray(0, at));
    }
    // A view of each of these short texts would be more garbage than the rest of an encoder makes.
    if (end - start < 64) for (let from = start, to = at; from < end; from++) this.#arena[to++] = source[from]!;
    else this.#arena.set(source.subarray(start, end), at);
    if (id === this.#ends.length) {
      this.#ends = copyInto(new Uint32Array(2 * id), this.#ends);
      this.#hashes = copyInto(new Uint32Array(2 * id), this.#hashes);
    }
    this.#ends[id] = stop;
    this.#hashes[id] = hash;
    this.#count = id + 1;
    const { length } = this.#slots;
    if (this.#count * 2 > length) this.#slots = placeAll(2 * length, this.#hashes, this.#count);
    return id;
  }

  /** Removes every entry but keeps the memory, up to KEPT_BYTES_MAX. */
  clear(): void {
    this.#count = 0;
    if (this.#arena.length > KEPT_BYTES_MAX) this.#arena = new Uint8Array(4096);
    if (4 * this.#slots.length > KEPT_BYTES_MAX) {
      this.#ends = new Uint32Array(256);
      this.#hashes = new Uint32Array(256);
      this.#slots = new Int32Array(512);
    } else this.#slots.fill(0);
  }
}
