// Decodes Snappy, which exporters may send beside gzip and zstd and Node's zlib does not support, in both forms: one
// block (raw length, then literals and copies; Go's snappy.Encode) and the framed stream (chunks with CRC-32C; Go's
// snappy.NewBufferedWriter), which begins with an identifier. Never allocates more than the input can fill. Source:
// google/snappy, format_description.txt and framing_format.txt.
import { assert } from '../base/assert.ts';

const STREAM_ID = Buffer.from([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const CHUNK_COMPRESSED = 0x00;
const CHUNK_PLAIN = 0x01;
/** A decoder may skip unknown chunks from this type on, but must understand those below. */
const CHUNK_SKIPPABLE = 0x80;
/** Largest number of output bytes per input byte of a block: a copy of 64 bytes takes 3. */
const EXPANSION_MAX = 22;
const CRC_BYTES = 4;
/** Kinds of elements in the low two bits of a tag; 2 and 3 are copies with an offset of two and four bytes. */
const LITERAL = 0;
const SHORT_COPY = 1;

/**
 * Decodes a snappy block or stream; throws `tooLarge` as soon as the output would exceed `sizeMax`, and an Error that
 * says what is malformed.
 */
export function decodeSnappy(bytes: Uint8Array, sizeMax: number, tooLarge: () => Error): Uint8Array {
  if (Buffer.compare(bytes.subarray(0, STREAM_ID.length), STREAM_ID) !== 0)
    return decodeBlock(bytes, sizeMax, tooLarge);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (let at = 0; at < bytes.length;) {
    if (at + 4 > bytes.length) throw new Error('unexpected end of a chunk header');
    const type = bytes[at]!;
    const start = at + 4;
    at = start + (bytes[start - 3]! | (bytes[start - 2]! << 8) | (bytes[start - 1]! << 16));
    if (at > bytes.length) throw new Error('unexpected end of a chunk');
    if (type >= CHUNK_SKIPPABLE) continue;
    const piece = decodeChunk(type, bytes.subarray(start, at), tooLarge, sizeMax - size);
    size += piece.length;
    assert(size <= sizeMax, `${size} bytes were decoded, ${sizeMax} are allowed`);
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
  const { value: length, end: start } = readLength(bytes);
  if (length > sizeMax) throw tooLarge();
  if (length > bytes.length * EXPANSION_MAX) throw new Error(`${bytes.length} bytes cannot hold ${length}`);
  const out = new Uint8Array(length);
  const filled = fill(out, bytes, start);
  if (filled !== length) throw new Error(`${filled} bytes where ${length} were announced`);
  return out;
}

/** A varint of up to 32 bits. */
function readLength(bytes: Uint8Array): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = 0; at < Math.min(5, bytes.length); at++) {
    const byte = bytes[at]!;
    value += (byte & 127) * 128 ** at;
    if (byte < 128) return { value, end: at + 1 };
  }
  throw new Error('malformed length');
}

/** Decodes the elements of a block from `at` on; returns how many bytes of `out` they filled. */
function fill(out: Uint8Array, bytes: Uint8Array, at: number): number {
  let end = 0;
  while (at < bytes.length) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    // Bytes after the tag: a literal's length if it is above 60, or a copy's offset.
    const extra = kind === LITERAL ? Math.max(0, (tag >> 2) - 59) : kind === 3 ? 4 : kind;
    if (at + extra > bytes.length) throw new Error('unexpected end');
    let operand = 0;
    for (let i = extra - 1; i >= 0; i--) operand = operand * 256 + bytes[at + i]!;
    at += extra;
    const length = lengthOf(tag, extra > 0 ? operand : tag >> 2);
    if (end + length > out.length) throw new Error('more bytes than were announced');
    if (kind === LITERAL) {
      if (at + length > bytes.length) throw new Error('unexpected end of a literal');
      out.set(bytes.subarray(at, at + length), end);
      at += length;
    } else repeat(out, end, length, kind === SHORT_COPY ? operand + ((tag >> 5) << 8) : operand);
    end += length;
  }
  return end;
}

function lengthOf(tag: number, literalLength: number): number {
  if ((tag & 3) === LITERAL) return literalLength + 1;
  return (tag & 3) === SHORT_COPY ? 4 + ((tag >> 2) & 7) : (tag >> 2) + 1;
}

/** Copies `length` bytes from `offset` before `end` to `end`. If the ranges overlap, copied bytes are copied again. */
export function repeat(out: Uint8Array, end: number, length: number, offset: number): void {
  if (offset === 0 || offset > end) throw new Error('a copy from before the beginning');
  if (offset >= length) out.copyWithin(end, end - offset, end - offset + length);
  else for (let i = 0; i < length; i++) out[end + i] = out[end + i - offset]!;
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
