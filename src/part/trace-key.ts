// The lookup key of a trace id: 40 bits of hash. Ids are hashed, not truncated, because many are not random everywhere:
// 64-bit ids begin with eight zero bytes, X-Ray ids with a time. Two ids may share a key: a key selects blocks to read,
// never a trace. The hash is stored in parts, so it must never change (MurmurHash3 x86 32, by Austin Appleby).

export const TRACE_ID_SIZE = 16;

/** The key's upper 32 bits, for the id at `offset` of `ids`. Log blocks are pruned by this word alone. */
export function traceKeyHigh(ids: Uint8Array, offset = 0): number {
  return murmur3(ids, offset, 0);
}

/** The key's lower 8 bits. */
export function traceKeyLow(ids: Uint8Array, offset = 0): number {
  return murmur3(ids, offset, 1) & 0xff;
}

/** The upper words of all ids in `ids` (16 bytes each), ascending, for hasTraceKey. */
export function sortedTraceKeys(ids: Uint8Array): Uint32Array {
  const keys = new Uint32Array(ids.length / TRACE_ID_SIZE);
  for (let i = 0; i < keys.length; i++) keys[i] = traceKeyHigh(ids, i * TRACE_ID_SIZE);
  return keys.sort();
}

/** Whether `high` is one of the ascending `keys`. */
export function hasTraceKey(keys: Uint32Array, high: number): boolean {
  const at = lowerBound(keys, high);
  return at < keys.length && keys[at] === high;
}

/** Index of the first of the ascending `keys` that is not below `high`; keys.length if all are below. */
export function lowerBound(keys: Uint32Array, high: number): number {
  let from = 0;
  let to = keys.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (keys[middle]! < high) from = middle + 1;
    else to = middle;
  }
  return from;
}

function murmur3(bytes: Uint8Array, offset: number, seed: number): number {
  let h = seed;
  for (let at = offset; at < offset + TRACE_ID_SIZE; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    h ^= word;
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  h ^= TRACE_ID_SIZE;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
