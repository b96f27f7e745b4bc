// What the hash tables have in common: arrays of entries 0, 1, 2 … that grow, and slots by open addressing over them (entry
// + 1 per slot, 0 = free, at most half full). Each table keeps its own loop over the slots: comparing keys is what it costs.

type Numbers = Uint8Array | Uint32Array | Int32Array | Float64Array;

/** `target`, which is larger, with what `source` has. */
export function copyInto<T extends Numbers>(target: T, source: T): T {
  target.set(source);
  return target;
}

/** Slots, a power of two of them and more than `count`, for the entries with hashes[0, count). */
export function placeAll(slotCount: number, hashes: ArrayLike<number>, count: number): Int32Array<ArrayBuffer> {
  const slots = new Int32Array(slotCount);
  const mask = slotCount - 1;
  for (let entry = 0; entry < count; entry++) {
    let slot = hashes[entry]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = entry + 1;
  }
  return slots;
}
