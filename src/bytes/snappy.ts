// Snappy, decoding only: what exporters may send beside gzip and zstd, and Node's zlib lacks. Both forms: one block (raw length,
// then literals and copies; Go's snappy.Encode) and the framed stream (chunks with CRC-32C; Go's snappy.NewBufferedWriter),
// told apart by the stream's identifier. Nothing is allocated that the input could not fill.
// Source: google/snappy, format_description.txt and framing_format.txt.

const STREAM_ID = Buffer.from([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const CHUNK_COMPRESSED = 0x00;
const CHUNK_PLAIN = 0x01;
/** Chunks from here on may be skipped, those below must be understood. */
const CHUNK_SKIPPABLE = 0x80;
/** The most a block can say with a byte: a copy of 64 bytes takes 3. */
const EXPANSION_MAX = 22;
const CRC_BYTES = 4;

/**
 * The bytes of a snappy block or stream; `tooLarge` is thrown as soon as they would be more than `sizeMax`. Throws Error with
 * what is malformed.
 */
export function decodeSnappy(bytes: Uint8Array, sizeMax: number, tooLarge: () => Error): Uint8Array {
  if (Buffer.compare(bytes.subarray(0, STREAM_ID.length), STREAM_ID) !== 0) return decodeBlock(bytes, sizeMax, tooLarge);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new Error('unexpected end of a chunk header');
    const type = bytes[at]!;
    const start = at + 4;
    at = start + (bytes[start - 3]! | (bytes[start - 2]! << 8) | (bytes[start - 1]! << 16));
    if (at > bytes.length) throw new Error('unexpected end of a chunk');
    if (type >= CHUNK_SKIPPABLE) continue;
    const piece = decodeChunk(type, bytes.subarray(start, at), tooLarge, sizeMax - size);
    size += piece.length;
    pieces.push(piece);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, size);
}

function decodeChunk(type: number, chunk: Uint8Array, tooLarge: () => Error, sizeMax: number): Uint8Array {
  if (type > CHUNK_PLAIN) throw new Error(`unknown chunk type ${type}`);
  if (chunk.length < CRC_BYTES) throw new Error('a chunk without its checksum');
  const content = chunk.subarray(CRC_BYTES);
  if (type === CHUNK_PLAIN && content.length > sizeMax) throw tooLarge();
  const piece = type === CHUNK_COMPRESSED ? decodeBlock(content, sizeMax, tooLarge) : content;
  const stored = new DataView(chunk.buffer, chunk.byteOffset).getUint32(0, true);
  if (maskedCrc32c(piece) !== stored) throw new Error('a chunk fails its checksum');
  return piece;
}

function decodeBlock(bytes: Uint8Array, sizeMax: number, tooLarge: () => Error): Uint8Array {
  let length = 0;
  let at = 0;
  for (let shift = 1; ; shift *= 128) {
    if (at === bytes.length || at === 5) throw new Error('malformed length');
    const byte = bytes[at++]!;
    length += (byte & 127) * shift;
    if (byte < 128) break;
  }
  if (length > sizeMax) throw tooLarge();
  if (length > bytes.length * EXPANSION_MAX) throw new Error(`${bytes.length} bytes cannot hold ${length}`);
  const out = new Uint8Array(length);
  const filled = fill(out, bytes, at);
  if (filled !== length) throw new Error(`${filled} bytes where ${length} were announced`);
  return out;
}

/** Runs the elements of a block from `at` on and returns how much of `out` they filled. */
function fill(out: Uint8Array, bytes: Uint8Array, at: number): number {
  let end = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    // A literal's length or a copy's offset takes up to four bytes behind the tag; zeros stand behind the input's end.
    const extra = kind === 0 ? Math.max(0, (tag >> 2) - 59) : kind === 3 ? 4 : kind;
    if (at + extra > bytes.length) throw new Error('unexpected end');
    let operand = 0;
    for (let i = extra - 1; i >= 0; i--) operand = operand * 256 + bytes[at + i]!;
    at += extra;
    const length = kind === 1 ? 4 + ((tag >> 2) & 7) : (kind === 0 && extra > 0 ? operand : tag >> 2) + 1;
    if (end + length > out.length) throw new Error('more bytes than were announced');
    if (kind === 0) {
      if (at + length > bytes.length) throw new Error('unexpected end of a literal');
      out.set(bytes.subarray(at, at + length), end);
      at += length;
    } else {
      const offset = kind === 1 ? operand + ((tag >> 5) << 8) : operand;
      if (offset === 0 || offset > end) throw new Error('a copy from before the beginning');
      // Byte by byte where the copy overlaps what it writes: that repeats it.
      if (offset >= length) out.copyWithin(end, end - offset, end - offset + length);
      else for (let i = 0; i < length; i++) out[end + i] = out[end + i - offset]!;
    }
    end += length;
  }
  return end;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  return crc;
});

/** CRC-32C (Castagnoli) as snappy stores it: rotated and offset, unsigned. */
function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ crcTable[(crc ^ bytes[i]!) & 255]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0;
}
