// A binary fuse filter with 8-bit fingerprints (Graf and Lemire, "Binary Fuse Filters", 2022). It answers for a 64-bit
// hash: surely not in the set, or probably in it (wrong for one absent hash in 256). About 9 to 10 bits a key at the
// sizes of blocks. Built once, immutable. Byte layout: docs/format/part.md, "filters".
import { assert, BugError } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';

/** u32 seed, u32 segment length, u32 number of segments in which a key's first slot may be; then one byte a slot. */
export const FUSE_HEADER_SIZE = 12;
/** Each try fails with a probability well below one half, so this many failures are not chance. */
const SEEDS_MAX = 100;

/** Distinct 64-bit hashes, in two words each. */
export interface HashPairs {
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  readonly count: number;
}

interface Shape {
  readonly segmentLength: number;
  readonly segmentCount: number;
  readonly slotCount: number;
}

function shapeFor(count: number): Shape {
  const bits = count <= 1 ? 2 : Math.min(18, Math.max(2, Math.floor(Math.log(count) / Math.log(3.33) + 2.25)));
  const segmentLength = 2 ** bits;
  const sizeFactor = count <= 1 ? 0 : Math.max(1.125, 0.875 + (0.25 * Math.log(1_000_000)) / Math.log(count));
  const capacity = Math.round(count * sizeFactor);
  const segmentCount = Math.max(1, Math.ceil(capacity / segmentLength) - 2);
  return { segmentLength, segmentCount, slotCount: (segmentCount + 2) * segmentLength };
}

/** The three slots and the fingerprint of the key passed to set() last. */
class Probe {
  readonly #seed: number;
  readonly #mask: number;
  readonly #segmentLength: number;
  readonly #firstSlots: number;
  slot0 = 0;
  slot1 = 0;
  slot2 = 0;
  fingerprint = 0;

  constructor(seed: number, segmentLength: number, segmentCount: number) {
    this.#seed = seed;
    this.#segmentLength = segmentLength;
    this.#mask = segmentLength - 1;
    this.#firstSlots = segmentCount * segmentLength;
  }

  set(lo: number, hi: number): void {
    const a = mix(lo ^ this.#seed, hi);
    const b = mix(hi ^ this.#seed, a);
    // The upper bits of `a` spread the first slot evenly; bits of `b` move the other two inside the next segments.
    this.slot0 = Math.floor((a / 4294967296) * this.#firstSlots);
    this.slot1 = (this.slot0 + this.#segmentLength) ^ ((b >>> 8) & this.#mask & 0xffffff);
    this.slot2 = (this.slot0 + 2 * this.#segmentLength) ^ ((Math.imul(b, 0x9e3779b1) >>> 8) & this.#mask);
    this.fingerprint = (a ^ (a >>> 16) ^ b) & 255;
  }
}

/** MurmurHash3's finalizer over two words. Stored filters depend on it: it must never change. */
function mix(x: number, y: number): number {
  let h = Math.imul(x ^ Math.imul(y, 0xcc9e2d51), 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h ^ y, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x27d4eb2f);
  return (h ^ (h >>> 15)) >>> 0;
}

/** The filter of `keys`. The same keys in the same order give the same bytes. */
export function buildFuseFilter(keys: HashPairs): Uint8Array<ArrayBuffer> {
  assert(keys.count <= keys.lo.length && keys.count <= keys.hi.length, 'more keys of a filter than there are');
  const shape = shapeFor(keys.count);
  const peeler = new Peeler(shape.slotCount, keys.count);
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const probe = new Probe(seed, shape.segmentLength, shape.segmentCount);
    if (!peeler.peel(keys, probe)) continue;
    const out = new Uint8Array(FUSE_HEADER_SIZE + shape.slotCount);
    const view = new DataView(out.buffer);
    view.setUint32(0, seed, true);
    view.setUint32(4, shape.segmentLength, true);
    view.setUint32(8, shape.segmentCount, true);
    peeler.assign(out.subarray(FUSE_HEADER_SIZE), probe);
    return out;
  }
  throw new BugError(`no fuse filter for ${keys.count} keys: they are not distinct`);
}

/** Finds an order of the keys in which each key has a slot that no later key uses. */
class Peeler {
  readonly #count: Uint8Array;
  readonly #xorLo: Uint32Array;
  readonly #xorHi: Uint32Array;
  readonly #queue: Uint32Array;
  readonly #orderLo: Uint32Array;
  readonly #orderHi: Uint32Array;
  readonly #orderSlot: Uint32Array;
  #done = 0;

  constructor(slotCount: number, keyCount: number) {
    this.#count = new Uint8Array(slotCount);
    this.#xorLo = new Uint32Array(slotCount);
    this.#xorHi = new Uint32Array(slotCount);
    this.#queue = new Uint32Array(slotCount + 3 * keyCount);
    this.#orderLo = new Uint32Array(keyCount);
    this.#orderHi = new Uint32Array(keyCount);
    this.#orderSlot = new Uint32Array(keyCount);
  }

  /** False when some keys cannot be ordered with this seed. */
  peel(keys: HashPairs, probe: Probe): boolean {
    this.#count.fill(0);
    this.#xorLo.fill(0);
    this.#xorHi.fill(0);
    this.#done = 0;
    for (let i = 0; i < keys.count; i++) {
      probe.set(keys.lo[i]!, keys.hi[i]!);
      this.#put(probe.slot0, keys.lo[i]!, keys.hi[i]!);
      this.#put(probe.slot1, keys.lo[i]!, keys.hi[i]!);
      this.#put(probe.slot2, keys.lo[i]!, keys.hi[i]!);
    }
    let queued = 0;
    for (let slot = 0; slot < this.#count.length; slot++) if (this.#count[slot] === 1) this.#queue[queued++] = slot;
    for (let next = 0; next < queued; next++) {
      const slot = this.#queue[next]!;
      if (this.#count[slot] !== 1) continue;
      queued = this.#take(slot, probe, queued);
    }
    return this.#done === keys.count;
  }

  #put(slot: number, lo: number, hi: number): void {
    // 255 distinct hashes never share a slot; if they did, only this seed would fail.
    if (this.#count[slot]! < 255) this.#count[slot]!++;
    this.#xorLo[slot]! ^= lo;
    this.#xorHi[slot]! ^= hi;
  }

  #take(slot: number, probe: Probe, queuedBefore: number): number {
    const lo = this.#xorLo[slot]!;
    const hi = this.#xorHi[slot]!;
    this.#orderLo[this.#done] = lo;
    this.#orderHi[this.#done] = hi;
    this.#orderSlot[this.#done++] = slot;
    probe.set(lo, hi);
    let queued = queuedBefore;
    for (let i = 0; i < 3; i++) {
      const other = i === 0 ? probe.slot0 : i === 1 ? probe.slot1 : probe.slot2;
      this.#count[other]!--;
      this.#xorLo[other]! ^= lo;
      this.#xorHi[other]! ^= hi;
      if (this.#count[other] === 1) this.#queue[queued++] = other;
    }
    return queued;
  }

  /** Sets each key's own slot so that its three slots give its fingerprint, in reverse order of peeling. */
  assign(slots: Uint8Array, probe: Probe): void {
    assert(this.#done === this.#orderSlot.length, 'a filter is made of keys that were not all peeled');
    for (let i = this.#done - 1; i >= 0; i--) {
      probe.set(this.#orderLo[i]!, this.#orderHi[i]!);
      const slot = this.#orderSlot[i]!;
      slots[slot] = 0;
      slots[slot] = probe.fingerprint ^ slots[probe.slot0]! ^ slots[probe.slot1]! ^ slots[probe.slot2]!;
    }
  }
}

/** A decoded filter. Holds a view of its bytes. */
export class FuseFilter {
  readonly #probe: Probe;
  readonly #slots: Uint8Array;

  /** Throws CORRUPTION when the header does not match the length. */
  constructor(bytes: Uint8Array) {
    if (bytes.length < FUSE_HEADER_SIZE) throw new StoreError('CORRUPTION', 'a filter shorter than its header');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const segmentLength = view.getUint32(4, true);
    const segmentCount = view.getUint32(8, true);
    const isPowerOfTwo = segmentLength > 0 && (segmentLength & (segmentLength - 1)) === 0;
    if (!isPowerOfTwo || bytes.length !== FUSE_HEADER_SIZE + (segmentCount + 2) * segmentLength) {
      throw new StoreError('CORRUPTION', 'a filter of another length than its header says');
    }
    this.#probe = new Probe(view.getUint32(0, true), segmentLength, segmentCount);
    this.#slots = bytes.subarray(FUSE_HEADER_SIZE);
  }

  /** False: the key is surely not in the set. */
  mayContain(lo: number, hi: number): boolean {
    const probe = this.#probe;
    probe.set(lo, hi);
    const slots = this.#slots;
    return (slots[probe.slot0]! ^ slots[probe.slot1]! ^ slots[probe.slot2]!) === probe.fingerprint;
  }
}
