// The checksum of everything stored: CRC-32 (IEEE 802.3) as node:zlib computes it in hardware, 5.5 GB/s
// (decisions/0002-crc32-of-zlib.md says why it is not CRC-32C).
import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 of `bytes`, unsigned. */
export function crc32(bytes: Uint8Array): number {
  return zlibCrc32(bytes);
}
