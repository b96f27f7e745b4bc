// A column of exact integers (|v| <= 2^53, held as doubles) ↔ bytes. Layout: docs/format/block.md, "number column".
// The values are brought near zero (minimum, zigzag, common divisor) and written as byte planes: all lowest bytes, then
// all second bytes, and so on. High planes are nearly constant and compress to almost nothing; low planes are noise
// that nothing shrinks. Under zstd, byte planes beat varints because each plane has its own statistics.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';

const CONSTANT = 0;
const PLANES = 1;
const ZIGZAG_PLANES = 2;
const NEGATIVE_CONSTANT = 3;
const TWO_31 = 2147483648;
const TWO_32 = 4294967296;

/**
 * Writes values[0, count) without the count, which the reader knows. `parts` are ascending indexes at which the values
 * begin to differ in kind from those before.
 */
export function encodeNumbers(
  out: ByteWriter,
  values: Float64Array,
  count: number,
  parts: readonly number[] = [],
): void {
  let min = count > 0 ? values[0]! : 0;
  let max = min;
  for (let i = 1; i < count; i++) {
    const value = values[i]!;
    if (value < min) min = value;
    else if (value > max) max = value;
  }
  assert(count <= values.length, 'more numbers to write than there are');
  assert(Number.isInteger(min), 'a number column of other numbers than integers');
  assert(Number.isInteger(max), 'a number column of other numbers than integers');
  if (min === max) {
    out.u8(min < 0 ? NEGATIVE_CONSTANT : CONSTANT);
    out.varint(Math.abs(min));
    return;
  }
  const isSigned = min < 0;
  // Subtracting the minimum pays only if it makes the range smaller; small non-negative values stay as they are.
  const base = isSigned || min <= max - min ? 0 : min;
  const divisor = commonDivisor(values, count, base);
  const top = isSigned ? Math.max(2 * (max / divisor), -2 * (min / divisor) - 1) : (max - base) / divisor;
  let width = 1;
  for (let rest = Math.floor(top / 256); rest > 0; rest = Math.floor(rest / 256)) width++;
  out.u8(isSigned ? ZIGZAG_PLANES : PLANES);
  out.u8(width);
  out.varint(base);
  out.varint(divisor);
  out.reserve(width * count);
  writePlanes(out.bytes, out.length, { values, count, base, divisor, isSigned, width });
  const start = out.length;
  for (let plane = 0; plane < width; plane++) {
    for (const part of parts) {
      out.length = start + plane * count + part;
      out.seam();
    }
    out.length = start + (plane + 1) * count;
    out.seam();
  }
}

interface Planes {
  readonly values: Float64Array;
  readonly count: number;
  readonly base: number;
  readonly divisor: number;
  readonly isSigned: boolean;
  readonly width: number;
}

function writePlanes(bytes: Uint8Array, start: number, planes: Planes): void {
  const { values, count, base, divisor, isSigned, width } = planes;
  // A zigzag number may exceed 2^53, where doubles are even: two words hold it, with the sign in the lowest bit.
  const split = isSigned ? TWO_31 : TWO_32;
  const scale = isSigned ? 2 : 1;
  for (let i = 0; i < count; i++) {
    let value = (values[i]! - base) / divisor;
    let sign = 0;
    if (isSigned && value < 0) {
      value = -value - 1;
      sign = 1;
    }
    let at = start + i;
    let low = value * scale + sign;
    if (width > 4) {
      const high = Math.floor(value / split);
      low = (value - high * split) * scale + sign;
      for (let plane = 4, rest = high; plane < width; plane++, rest >>>= 8) bytes[at + plane * count] = rest & 255;
    }
    const planesLow = width > 4 ? 4 : width;
    for (let plane = 0, rest = low >>> 0; plane < planesLow; plane++, rest >>>= 8) {
      bytes[at] = rest & 255;
      at += count;
    }
  }
}

/** Greatest common divisor of all (value - base): µs or ms clocks give 1000 or 1000000. Stops at 1. */
function commonDivisor(values: Float64Array, count: number, base: number): number {
  let divisor = 0;
  for (let i = 0; i < count; i++) {
    let a = Math.abs(values[i]! - base);
    if (divisor === 1) return 1;
    while (a !== 0) {
      const rest = divisor % a;
      divisor = a;
      a = rest;
    }
  }
  return divisor === 0 ? 1 : divisor;
}

/** Reads `count` numbers. Throws CORRUPTION when the column is too short or has values that no writer produces. */
export function decodeNumbers(reader: ByteReader, count: number): Float64Array<ArrayBuffer> {
  const encoding = reader.u8();
  switch (encoding) {
    case CONSTANT:
      return new Float64Array(count).fill(reader.varint());
    case NEGATIVE_CONSTANT:
      return new Float64Array(count).fill(-reader.varint());
    case PLANES:
    case ZIGZAG_PLANES:
      return readPlanes(reader, count, encoding === ZIGZAG_PLANES);
    default:
      throw new StoreError('CORRUPTION', `unknown number encoding ${encoding}`);
  }
}

function readPlanes(reader: ByteReader, count: number, isSigned: boolean): Float64Array<ArrayBuffer> {
  const { width, base, divisor, start } = readPlaneHead(reader, count);
  const values = new Float64Array(count);
  if (width <= 4) sumPlanes(reader.bytes, start, values, { width, isSigned });
  else sumWidePlanes(reader.bytes, start, values, { width, isSigned });
  if (base !== 0 || divisor !== 1) {
    for (let i = 0; i < count; i++) values[i] = values[i]! * divisor + base;
  }
  return values;
}

/** What stands before the planes, and where they start; skips them. */
function readPlaneHead(reader: ByteReader, count: number) {
  const width = reader.u8();
  if (width < 1 || width > 7) throw new StoreError('CORRUPTION', `number width ${width}`);
  const base = reader.varint();
  const divisor = reader.varint();
  return { width, base, divisor, start: reader.skip(width * count) };
}

/** A stored column of which single numbers are read: one trace needs a dozen of some thousand. */
export interface PickableNumbers {
  readonly count: number;
  /** Number `index`, which the column has. */
  at(index: number): number;
}

/** As decodeNumbers, but decodes nothing: the result reads the bytes of `reader`. Throws CORRUPTION. */
export function openNumbers(reader: ByteReader, count: number): PickableNumbers {
  const encoding = reader.u8();
  switch (encoding) {
    case CONSTANT:
      return new StoredConstant(reader.varint(), count);
    case NEGATIVE_CONSTANT:
      return new StoredConstant(-reader.varint(), count);
    case PLANES:
    case ZIGZAG_PLANES: {
      const head = readPlaneHead(reader, count);
      return new StoredPlanes(reader.bytes, { ...head, isSigned: encoding === ZIGZAG_PLANES }, count);
    }
    default:
      throw new StoreError('CORRUPTION', `unknown number encoding ${encoding}`);
  }
}

class StoredConstant implements PickableNumbers {
  readonly count: number;
  readonly #value: number;

  constructor(value: number, count: number) {
    this.#value = value;
    this.count = count;
  }

  at(): number {
    return this.#value;
  }
}

class StoredPlanes implements PickableNumbers {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #width: number;
  readonly #isSigned: boolean;
  readonly #base: number;
  readonly #divisor: number;

  constructor(bytes: Uint8Array, head: ReturnType<typeof readPlaneHead> & { isSigned: boolean }, count: number) {
    this.count = count;
    this.#bytes = bytes;
    this.#start = head.start;
    this.#width = head.width;
    this.#isSigned = head.isSigned;
    this.#base = head.base;
    this.#divisor = head.divisor;
  }

  at(index: number): number {
    const bytes = this.#bytes;
    const { count } = this;
    let low = 0;
    let high = 0;
    // The lowest four planes and those above are summed apart, because a zigzag number may exceed 2^53.
    for (let plane = this.#width - 1, at = this.#start + plane * count + index; plane >= 0; plane--, at -= count) {
      if (plane > 3) high = high * 256 + bytes[at]!;
      else low = low * 256 + bytes[at]!;
    }
    return this.#valueOf(low, high) * this.#divisor + this.#base;
  }

  #valueOf(low: number, high: number): number {
    if (!this.#isSigned) return high * TWO_32 + low;
    const value = high * TWO_31 + Math.floor(low / 2);
    return low % 2 === 0 ? value : -value - 1;
  }
}

interface PlaneForm {
  readonly width: number;
  readonly isSigned: boolean;
}

/** Up to four planes, as nearly every column has: plane after plane, because a loop without branches takes half the time. */
function sumPlanes(bytes: Uint8Array, start: number, values: Float64Array, { width, isSigned }: PlaneForm): void {
  const count = values.length;
  for (let i = 0; i < count; i++) values[i] = bytes[start + i]!;
  for (let plane = 1; plane < width; plane++) {
    const from = start + plane * count;
    const scale = 256 ** plane;
    for (let i = 0; i < count; i++) values[i] = values[i]! + bytes[from + i]! * scale;
  }
  if (!isSigned) return;
  for (let i = 0; i < count; i++) {
    const word = values[i]! >>> 0;
    values[i] = (word & 1) === 0 ? word >>> 1 : -(word >>> 1) - 1;
  }
}

/** A zigzag number of more than four planes may exceed 2^53: its high part is summed apart. */
function sumWidePlanes(bytes: Uint8Array, start: number, values: Float64Array, { width, isSigned }: PlaneForm): void {
  const count = values.length;
  // The planes above the fourth first: their sum stays below 2^24.
  for (let plane = width - 1; plane > 3; plane--) {
    for (let i = 0, at = start + plane * count; i < count; i++, at++) values[i] = values[i]! * 256 + bytes[at]!;
  }
  const [second, third, fourth] = [start + count, start + 2 * count, start + 3 * count];
  for (let i = 0; i < count; i++) {
    const low = bytes[start + i]! | (bytes[second + i]! << 8) | (bytes[third + i]! << 16) | (bytes[fourth + i]! << 24);
    if (!isSigned) values[i] = values[i]! * TWO_32 + (low >>> 0);
    else {
      const value = values[i]! * TWO_31 + (low >>> 1);
      values[i] = (low & 1) === 0 ? value : -value - 1;
    }
  }
}
