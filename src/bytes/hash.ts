// Two small non-cryptographic hashes for in-memory tables. Never stored: their values may change between versions.

/** 32-bit hash of bytes[start, end), four bytes a step: for 5 to 60 bytes a native call would cost more. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x9e3779b9 ^ (end - start);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    h = Math.imul(h ^ word, 0x85ebca6b);
    h ^= h >>> 15;
  }
  for (; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 32-bit hash of ints[start, end). */
export function hashInts(ints: Int32Array, start: number, end: number): number {
  let h = 0x811c9dc5 ^ (end - start);
  for (let i = start; i < end; i++) {
    h = Math.imul(h ^ ints[i]!, 0x85ebca6b);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f);
  return (h ^ (h >>> 16)) >>> 0;
}
