// A forward-only cursor over protobuf wire bytes. It allocates nothing: length-delimited values are read as
// [valueStart, valueEnd) offsets into the same buffer, 64-bit values as two uint32. Every length is checked against
// its enclosing message before it is used, so hostile bytes give INVALID_REQUEST and never a wild read.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

/** Place and kind of malformed bytes, as an error's cause: a caller can recount from the message's start. */
class Malformed extends Error {
  readonly offset: number;

  constructor(what: string, offset: number) {
    super(what);
    this.offset = offset;
  }
}

/** Throws INVALID_REQUEST with the byte offset; callers add the message's name. */
export function malformed(what: string, offset: number): never {
  throw malformedError(new Malformed(what, offset), 0);
}

/** The error of malformed(), with its offset counted from `origin`; any other error unchanged. */
export function countFrom(origin: number, error: unknown): unknown {
  const cause = error instanceof StoreError ? error.cause : undefined;
  return cause instanceof Malformed ? malformedError(cause, origin) : error;
}

function malformedError(cause: Malformed, origin: number): StoreError {
  return new StoreError('INVALID_REQUEST', `malformed protobuf at byte ${cause.offset - origin}: ${cause.message}`, {
    cause,
  });
}

/** Positions are small integers. */
const POSITION_MAX = 0x7fffffff;

/**
 * lo and hi are doubles to V8, as they may exceed 31 bits. Positions must not become doubles as well, which one sum with a double
 * in it is enough for: next() then takes three times as long. Hence `| 0`.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  pos: number;
  end: number;
  /** Set by next(): field number, wire type and where the field's tag began. */
  field = 0;
  wire = 0;
  fieldStart = 0;
  /** Set by next() for wire type 2: the value's range. */
  valueStart = 0;
  valueEnd = 0;
  /** Set by next() for wire types 0, 1 and 5: low and high 32 bits, unsigned. */
  lo = 0;
  hi = 0;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    assert(bytes.length <= POSITION_MAX, `a message of ${bytes.length} bytes`);
    this.bytes = bytes;
    this.pos = start | 0;
    this.end = end | 0;
  }

  /** Moves the cursor to another range of the same buffer, for example a nested message. */
  reset(start: number, end: number): this {
    assert(start >= 0 && start <= end && end <= this.bytes.length, 'a range outside of the message');
    this.pos = start | 0;
    this.end = end | 0;
    return this;
  }

  /**
   * Reads one whole field, tag and value; false at the end of the range.
   * Groups (wire types 3 and 4, gone since proto3) and reserved types are malformed.
   */
  next(): boolean {
    if (this.pos >= this.end) return false;
    this.fieldStart = this.pos;
    const tag = this.#tag();
    this.wire = tag & 7;
    this.field = tag >>> 3;
    if (this.field === 0) malformed('field number 0', this.fieldStart);
    switch (this.wire) {
      case WIRE_BYTES: {
        this.varint();
        const start = this.pos;
        if (this.hi !== 0 || this.lo > this.end - start)
          malformed(`field ${this.field} is longer than its message`, this.fieldStart);
        this.valueStart = start;
        this.pos = this.valueEnd = (start + this.lo) | 0;
        break;
      }
      case WIRE_VARINT:
        this.varint();
        break;
      case WIRE_FIXED64:
        if (this.end - this.pos < 8) malformed('truncated fixed64', this.fieldStart);
        this.lo = this.#u32(this.pos);
        this.hi = this.#u32(this.pos + 4);
        this.pos += 8;
        break;
      case WIRE_FIXED32:
        if (this.end - this.pos < 4) malformed('truncated fixed32', this.fieldStart);
        this.lo = this.#u32(this.pos);
        this.hi = 0;
        this.pos += 4;
        break;
      default:
        malformed(`wire type ${this.wire}`, this.fieldStart);
    }
    return true;
  }

  /** Throws INVALID_REQUEST unless the current field has wire type `wire`. */
  expect(wire: number, what: string): void {
    if (this.wire !== wire) malformed(`${what} has wire type ${this.wire}, expected ${wire}`, this.fieldStart);
  }

  /** The current length-delimited value, as a view into the buffer. */
  value(): Uint8Array {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** True when the current length-delimited value is `bytes`. Makes no object. */
  isValue(bytes: Uint8Array): boolean {
    const start = this.valueStart;
    if (this.valueEnd - start !== bytes.length) return false;
    for (let i = 0; i < bytes.length; i++) if (this.bytes[start + i] !== bytes[i]) return false;
    return true;
  }

  /** The current 64-bit value as an unsigned bigint. Not for per-span paths. */
  uint64(): bigint {
    return (BigInt(this.hi) << 32n) | BigInt(this.lo);
  }

  /** The current 64-bit value as a signed bigint. Not for per-span paths. */
  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  #tag(): number {
    const first = this.bytes[this.pos]!;
    if (first < 0x80) {
      this.pos++;
      return first;
    }
    this.varint();
    if (this.hi !== 0) malformed('field number out of range', this.fieldStart);
    return this.lo;
  }

  #u32(at: number): number {
    const b = this.bytes;
    return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
  }

  /** Reads a varint at pos into lo and hi; at most 10 bytes, never past end. */
  varint(): void {
    const { bytes, end } = this;
    let pos = this.pos;
    let lo = 0;
    let hi = 0;
    for (let shift = 0; ; shift += 7) {
      if (pos >= end || shift > 63)
        malformed(pos >= end ? 'truncated varint' : 'varint longer than 10 bytes', this.pos);
      const byte = bytes[pos++]!;
      const bits = byte & 0x7f;
      if (shift < 28) lo |= bits << shift;
      else if (shift === 28) {
        lo |= bits << 28;
        hi |= bits >>> 4;
      } else hi |= bits << (shift - 32);
      if (byte < 0x80) break;
    }
    this.pos = pos;
    this.lo = lo >>> 0;
    this.hi = hi >>> 0;
  }
}
