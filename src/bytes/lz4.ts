// Decodes LZ4 frames, which the Collector sends with Content-Encoding lz4 (Go's pierrec/lz4) and Node's zlib does not
// support. Several frames in a row, blocks independent or not, with or without sizes and checksums; no dictionaries.
// Never allocates more than the input can fill. Source: lz4_Frame_format.md and lz4_Block_format.md of lz4/lz4.
import { assert } from '../base/assert.ts';
import { repeat } from './snappy.ts';

const MAGIC = 0x184d2204;
/** Frames of user data, which are skipped: 16 magic numbers. */
const SKIPPABLE = 0x184d2a50;
/** Bits of a frame's first byte; the two highest are its version, 1. */
const INDEPENDENT_BLOCKS = 0x20;
const BLOCK_CHECKSUMS = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
/** Set in a block's size when it is not compressed. */
const PLAIN = 0x8000_0000;
const MATCH_MIN = 4;
/** Largest number of output bytes per input byte of a block. */
const EXPANSION_MAX = 255;

type TooLarge = () => Error;

/** Decodes LZ4 frames; throws `tooLarge` once the output would exceed `sizeMax`, an Error if they are malformed. */
export function decodeLz4(bytes: Uint8Array, sizeMax: number, tooLarge: TooLarge): Uint8Array {
  const decoder = new FrameDecoder(bytes, sizeMax, tooLarge);
  while (!decoder.isAtEnd) decoder.frame();
  return decoder.take();
}

class FrameDecoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #sizeMax: number;
  readonly #tooLarge: TooLarge;
  #at = 0;
  #out: Uint8Array;
  #size = 0;

  constructor(bytes: Uint8Array, sizeMax: number, tooLarge: TooLarge) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sizeMax = sizeMax;
    this.#tooLarge = tooLarge;
    this.#out = new Uint8Array(Math.min(sizeMax, bytes.length * 4));
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(): Uint8Array {
    assert(this.#size <= this.#sizeMax, `${this.#size} bytes were decoded, ${this.#sizeMax} are allowed`);
    return this.#out.subarray(0, this.#size);
  }

  frame(): void {
    const magic = this.#u32();
    if (magic >>> 4 === SKIPPABLE >>> 4) {
      this.#skip(this.#u32());
      return;
    }
    if (magic !== MAGIC) throw new Error('no LZ4 frame');
    const start = this.#size;
    const { flags, blockBytesMax, contentBytes } = this.#header();
    for (let size = this.#u32(); size !== 0; size = this.#u32()) {
      const from = this.#at;
      this.#skip(size & (PLAIN - 1));
      const base = (flags & INDEPENDENT_BLOCKS) === 0 ? start : this.#size;
      this.#block(from, size >= PLAIN, { base, end: this.#size + blockBytesMax });
      const end = this.#at;
      if ((flags & BLOCK_CHECKSUMS) !== 0) this.#check(this.#bytes.subarray(from, end), 'a block');
    }
    if (contentBytes !== undefined && contentBytes !== this.#size - start) {
      throw new Error(`${this.#size - start} bytes where ${contentBytes} were announced`);
    }
    if ((flags & CONTENT_CHECKSUM) !== 0) this.#check(this.#out.subarray(start, this.#size), 'the content');
  }

  #header(): { flags: number; blockBytesMax: number; contentBytes: number | undefined } {
    const from = this.#at;
    this.#skip(2);
    const flags = this.#bytes[from]!;
    const sizeCode = (this.#bytes[from + 1]! >> 4) & 7;
    if (flags >> 6 !== 1 || sizeCode < 4) throw new Error('an unknown version of LZ4 frames');
    if ((flags & DICTIONARY) !== 0) throw new Error('a frame that needs a dictionary');
    let contentBytes: number | undefined;
    if ((flags & CONTENT_SIZE) !== 0) {
      contentBytes = this.#u32() + this.#u32() * 2 ** 32;
      if (contentBytes > this.#sizeMax - this.#size) throw this.#tooLarge();
    }
    const end = this.#at;
    this.#skip(1);
    const expected = (xxh32(this.#bytes.subarray(from, end)) >>> 8) & 255;
    if (this.#bytes[end] !== expected) throw new Error('a frame header fails its checksum');
    return { flags, blockBytesMax: 1 << (8 + 2 * sizeCode), contentBytes };
  }

  /** Decodes the block [from, #at). Copies may reach back to `base`; the frame allows output up to `end`. */
  #block(from: number, isPlain: boolean, { base, end }: { base: number; end: number }): void {
    if (isPlain) this.#literals(from, this.#at - from);
    else this.#sequences(from, base);
    if (this.#size > end) throw new Error('a block is larger than its frame allows');
  }

  /** Literals and copies in turn, ending with literals. */
  #sequences(from: number, base: number): void {
    const bytes = this.#bytes;
    const end = this.#at;
    let at = from;
    while (at < end) {
      const token = bytes[at++]!;
      let literals = token >> 4;
      if (literals === 15) [literals, at] = this.#longLength(literals, at, end);
      if (literals > end - at) throw new Error('unexpected end of literals');
      this.#literals(at, literals);
      at += literals;
      if (at === end) return;
      if (end - at < 2) throw new Error('unexpected end of an offset');
      const offset = bytes[at]! | (bytes[at + 1]! << 8);
      at += 2;
      let length = token & 15;
      if (length === 15) [length, at] = this.#longLength(length, at, end);
      length += MATCH_MIN;
      if (offset > this.#size - base) throw new Error('a copy from before the beginning');
      this.#room(length);
      repeat(this.#out, this.#size, length, offset);
      this.#size += length;
    }
  }

  /** A length of 15 or more continues in bytes to add, the last of which is below 255. */
  #longLength(length: number, at: number, end: number): [length: number, at: number] {
    for (let total = length; at < end;) {
      const byte = this.#bytes[at++]!;
      total += byte;
      if (byte < 255) return [total, at];
    }
    throw new Error('unexpected end of a length');
  }

  #literals(from: number, length: number): void {
    this.#room(length);
    this.#out.set(this.#bytes.subarray(from, from + length), this.#size);
    this.#size += length;
  }

  #room(length: number): void {
    const need = this.#size + length;
    if (need > this.#sizeMax) throw this.#tooLarge();
    if (need <= this.#out.length) return;
    const most = Math.min(this.#sizeMax, this.#bytes.length * EXPANSION_MAX);
    const grown = new Uint8Array(Math.max(need, Math.min(most, this.#out.length * 2)));
    grown.set(this.#out.subarray(0, this.#size));
    this.#out = grown;
  }

  #check(content: Uint8Array, what: string): void {
    if (this.#u32() !== xxh32(content)) throw new Error(`${what} fails its checksum`);
  }

  #u32(): number {
    const at = this.#at;
    this.#skip(4);
    return this.#view.getUint32(at, true);
  }

  #skip(size: number): void {
    if (size > this.#bytes.length - this.#at) throw new Error('unexpected end of a frame');
    this.#at += size;
  }
}

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

/** xxHash32 with seed 0, unsigned. */
export function xxh32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length;
  let at = 0;
  let hash = P5;
  if (size >= 16) {
    let [a, b, c, d] = [(P1 + P2) | 0, P2 | 0, 0, -P1 | 0];
    for (; at <= size - 16; at += 16) {
      a = round(a, view.getInt32(at, true));
      b = round(b, view.getInt32(at + 4, true));
      c = round(c, view.getInt32(at + 8, true));
      d = round(d, view.getInt32(at + 12, true));
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
  }
  hash = (hash + size) | 0;
  for (; at <= size - 4; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(view.getInt32(at, true), P3)) | 0, 17), P4);
  }
  for (; at < size; at++) hash = Math.imul(rotate((hash + Math.imul(bytes[at]!, P5)) | 0, 11), P1);
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, P2)) | 0, 13), P1);
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
