// A growing byte buffer for the two formats this project writes: protobuf fields and its own little-endian records.
// take() copies the content out and empties the buffer for reuse, so a writer can live as long as its owner.
import { assert } from '../base/assert.ts';

export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  /** Offsets of seams, ascending: bytes before and after a seam are unlike and may be compressed separately. */
  readonly seams: number[] = [];

  constructor(capacityBytes = 4096) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  /** Empties it; keeps its memory up to `keptBytesMax`. */
  clear(keptBytesMax = Infinity): void {
    this.length = this.seams.length = 0;
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(keptBytesMax);
  }

  /** Makes room for `sizeBytes` more; every raw write below calls it first. */
  reserve(sizeBytes: number): void {
    const need = this.length + sizeBytes;
    if (need <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  /** Marks a seam at the current position. */
  seam(): void {
    const last = this.seams.at(-1) ?? -1;
    assert(last <= this.length, `a seam at ${this.length} after one at ${last}`);
    if (last !== this.length) this.seams.push(this.length);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    const { bytes, length } = this;
    bytes[length] = value;
    bytes[length + 1] = value >>> 8;
    bytes[length + 2] = value >>> 16;
    bytes[length + 3] = value >>> 24;
    this.length = length + 4;
  }

  u64(lo: number, hi: number): void {
    this.u32(lo);
    this.u32(hi);
  }

  f64(value: number): void {
    this.reserve(8);
    new DataView(this.bytes.buffer).setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** A varint of a non-negative integer up to 2^53. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest > 0x7fffffff) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.bytes[this.length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    assert(rest >= 0, 'a varint of a number below 0, or of none');
    this.bytes[this.length++] = rest;
  }

  /** A varint of 64 bits given as two uint32. */
  varint64(lo: number, hi: number): void {
    this.reserve(10);
    while (hi !== 0) {
      this.bytes[this.length++] = (lo & 127) | 128;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    lo >>>= 0;
    while (lo > 127) {
      this.bytes[this.length++] = (lo & 127) | 128;
      lo >>>= 7;
    }
    this.bytes[this.length++] = lo;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Copies [start, end) of `source`: a byte loop for the short runs that dominate, memcpy for longer ones. */
  rawRange(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    // Bytes behind the end of the source would be written as zeros.
    assert(start >= 0 && size >= 0 && end <= source.length, 'bytes outside of their source are written');
    this.reserve(size);
    const { bytes, length } = this;
    if (size < 48) for (let i = 0; i < size; i++) bytes[length + i] = source[start + i]!;
    else bytes.set(source.subarray(start, end), length);
    this.length = length + size;
  }

  /** Protobuf tag: field number and wire type. */
  tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  /** Protobuf length-delimited field. */
  bytesField(field: number, value: Uint8Array): void {
    this.tag(field, 2);
    this.varint(value.length);
    this.raw(value);
  }

  stringField(field: number, value: string): void {
    this.bytesField(field, Buffer.from(value, 'utf8'));
  }

  /**
   * Protobuf sub-message written by `body`, with a canonical (minimal) length prefix. The body is written first, and
   * moved if the prefix takes more than one byte.
   */
  message(field: number, body: () => void): void {
    this.tag(field, 2);
    const start = this.beginMessage();
    body();
    this.endMessage(start);
  }

  /** The closure-free halves of message(): tag first, then begin … write … end. */
  beginMessage(): number {
    this.reserve(1);
    this.length++;
    return this.length;
  }

  endMessage(start: number): void {
    const size = this.length - start;
    assert(start > 0 && size >= 0, 'a message ends that did not begin in this writer');
    if (size < 128) {
      this.bytes[start - 1] = size;
      return;
    }
    let prefix = 1;
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) prefix++;
    this.reserve(prefix - 1);
    this.bytes.copyWithin(start + prefix - 1, start, this.length);
    const end = this.length + prefix - 1;
    this.length = start - 1;
    this.varint(size);
    this.length = end;
  }

  /** Returns a copy of the content and empties the writer. */
  take(): Uint8Array<ArrayBuffer> {
    const out = this.bytes.slice(0, this.length);
    this.length = 0;
    return out;
  }

  /** A view of what was written, valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }
}
