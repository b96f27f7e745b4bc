// Block compression; the codec number and the raw length are stored with the bytes. Synchronous on purpose:
// asynchronous zstd costs 4 to 16 times more (dependencies.md §0.10), and every caller has a thread of its own. It does
// not check integrity: callers check the CRC of a stored frame before they call decompress().
import { zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib';
import { compressSync, uncompressSync } from 'lz4-napi';
import { assert, BugError } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';

export const CODEC_NONE = 0;
export const CODEC_LZ4 = 1;
export const CODEC_ZSTD = 2;

export interface Compression {
  readonly codec: number;
  /** zstd level; ignored by the others. */
  readonly level: number;
}

/** Below this, a compressor's fixed cost and framing exceed its gain (measured: 64 B of names shrink by 0 to 6 B). */
const COMPRESS_BYTES_MIN = 64;

/** Compresses `raw`; falls back to CODEC_NONE when that is not smaller. The result may be `raw` itself. */
export function compress(raw: Uint8Array, compression: Compression): { codec: number; stored: Uint8Array } {
  // What is compressed under a number that decompress() does not know is lost.
  assert(compression.codec >= CODEC_NONE && compression.codec <= CODEC_ZSTD, `codec ${compression.codec}`);
  if (compression.codec !== CODEC_NONE && raw.length >= COMPRESS_BYTES_MIN) {
    const buffer = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    const stored =
      compression.codec === CODEC_LZ4
        ? compressSync(buffer)
        : zstdCompressSync(buffer, { params: { [constants.ZSTD_c_compressionLevel]: compression.level } });
    if (stored.length < raw.length) return { codec: compression.codec, stored };
  }
  return { codec: CODEC_NONE, stored: raw };
}

/** The raw bytes of a frame with a checked CRC. Throws CORRUPTION for a wrong length or an unknown codec. */
export function decompress(codec: number, stored: Uint8Array, rawBytes: number): Uint8Array {
  const buffer = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  let raw: Uint8Array;
  try {
    if (codec === CODEC_NONE) raw = stored;
    else if (codec === CODEC_LZ4) {
      // lz4-napi trusts the length in front of the data and allocates it: compare it with ours first.
      if (buffer.length < 4 || buffer.readUInt32LE(0) !== rawBytes)
        throw new StoreError('CORRUPTION', 'an LZ4 frame disagrees with its header about its length');
      raw = uncompressSync(buffer);
    } else if (codec === CODEC_ZSTD)
      raw = zstdDecompressSync(buffer, { chunkSize: Math.max(64, rawBytes), maxOutputLength: Math.max(64, rawBytes) });
    else throw new StoreError('CORRUPTION', `unknown compression codec ${codec}`);
  } catch (cause) {
    if (cause instanceof StoreError || cause instanceof BugError) throw cause;
    throw new StoreError('CORRUPTION', `a frame of ${stored.length} bytes does not decompress with codec ${codec}`, {
      cause,
    });
  }
  if (raw.length !== rawBytes)
    throw new StoreError('CORRUPTION', `a frame decompressed to ${raw.length} bytes, its header says ${rawBytes}`);
  return raw;
}
