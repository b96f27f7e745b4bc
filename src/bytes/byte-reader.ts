// A bounds-checked cursor over stored bytes. Damage gives CORRUPTION, never a wild read or a huge allocation.
import { StoreError } from '../base/errors.ts';

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  pos: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.pos = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.pos;
  }

  /** Skips `sizeBytes` bytes and returns the offset of the first. */
  skip(sizeBytes: number): number {
    const at = this.pos;
    if (!(sizeBytes >= 0 && sizeBytes <= this.end - at)) {
      throw new StoreError('CORRUPTION', `a column ends ${sizeBytes - (this.end - at)} bytes too early`);
    }
    // A size may come from a sum of doubles; the position stays a small integer.
    this.pos = (at + sizeBytes) | 0;
    return at;
  }

  u8(): number {
    return this.bytes[this.skip(1)]!;
  }

  u32(): number {
    const at = this.skip(4);
    const b = this.bytes;
    return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
  }

  f64(): number {
    const at = this.skip(8);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + at, 8).getFloat64(0, true);
  }

  /** A varint up to 2^53. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new StoreError('CORRUPTION', 'a varint longer than 8 bytes');
  }

  /** A varint that counts entries of at least `bytesEach` bytes each that follow in this column. */
  count(bytesEach: number): number {
    const value = this.varint();
    if (value * bytesEach > this.left) throw new StoreError('CORRUPTION', `a count of ${value} exceeds its column`);
    return value;
  }

  /** The next `sizeBytes` bytes as a view. */
  view(sizeBytes: number): Uint8Array {
    const at = this.skip(sizeBytes);
    return this.bytes.subarray(at, at + sizeBytes);
  }
}
