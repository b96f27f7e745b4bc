// Shared by the hash tables: growing arrays of entries 0, 1, 2 …, and open addressing over them (entry + 1 per slot, 0
// = free, at most half full). Each table has its own loop over the slots, because comparing keys dominates the cost.
import { assert } from '../base/assert.ts';

type Numbers = Uint8Array | Uint32Array | Int32Array | Float64Array;

/** Copies `source` to the start of `target`, which must be larger; returns `target`. */
export function copyInto<T extends Numbers>(target: T, source: T): T {
  target.set(source);
  return target;
}

/** New slots for the entries with hashes[0, count); `slotCount` is a power of two above `count`. */
export function placeAll(slotCount: number, hashes: ArrayLike<number>, count: number): Int32Array<ArrayBuffer> {
  const mask = slotCount - 1;
  // Without a free slot, whoever looks for an absent key looks for ever.
  assert((slotCount & mask) === 0 && slotCount > count, `${count} entries in ${slotCount} slots`);
  const slots = new Int32Array(slotCount);
  for (let entry = 0; entry < count; entry++) {
    let slot = hashes[entry]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = entry + 1;
  }
  return slots;
}
