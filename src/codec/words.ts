// Columns of 64-bit values in two uint32 words ↔ bytes: int64 and double. Layout: docs/format/block.md, "word column".
// If every value is an exact integer (doubles: after scaling by a power of ten that restores every bit), the number
// codec writes them; otherwise all eight byte planes are written.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';
import { scratch } from '../bytes/scratch.ts';
import { decodeNumbers, encodeNumbers, openNumbers, type PickableNumbers } from './numbers.ts';

const RAW = 0;
const INTEGERS = 1;
/** DECIMALS + k: doubles that are integers / 10^k. */
const DECIMALS = 2;
const DECIMALS_MAX = 6;
const TWO_32 = 4294967296;
const EXACT_HIGH = 1 << 21;

export interface Words {
  readonly a: Uint32Array;
  readonly b: Uint32Array;
}

/** Writes words[0, count) as signed 64-bit integers. */
export function encodeInts(out: ByteWriter, words: Words, count: number): void {
  assert(count <= words.a.length && count <= words.b.length, 'more integers to write than there are');
  const { used } = scratch;
  const values = scratch.float64(count);
  if (toNumbers(words, values)) {
    out.u8(INTEGERS);
    encodeNumbers(out, values, count);
  } else writeRaw(out, words, count);
  scratch.giveBack(used);
}

/** False when one of them may not fit a double exactly. */
function toNumbers({ a, b }: Words, values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) {
    const high = b[i]! | 0;
    if (high >= EXACT_HIGH || high <= -EXACT_HIGH) return false;
    values[i] = high * TWO_32 + a[i]!;
  }
  return true;
}

/** Writes words[0, count) as IEEE doubles, bit for bit (NaN payloads and -0 included). */
export function encodeDoubles(out: ByteWriter, words: Words, count: number): void {
  assert(count <= words.a.length && count <= words.b.length, 'more doubles to write than there are');
  const { used } = scratch;
  const bits = scratch.uint32(2 * count);
  for (let i = 0; i < count; i++) {
    bits[2 * i] = words.a[i]!;
    bits[2 * i + 1] = words.b[i]!;
  }
  const doubles = new Float64Array(bits.buffer, bits.byteOffset, count);
  const scaled = scratch.float64(count);
  let digits = 0;
  while (digits <= DECIMALS_MAX && !scaleExactly(doubles, scaled, 10 ** digits)) digits++;
  if (digits <= DECIMALS_MAX) {
    out.u8(DECIMALS + digits);
    encodeNumbers(out, scaled, count);
  } else writeRaw(out, words, count);
  scratch.giveBack(used);
}

function scaleExactly(doubles: Float64Array, scaled: Float64Array, scale: number): boolean {
  for (let i = 0; i < doubles.length; i++) {
    const value = doubles[i]!;
    const whole = Math.round(value * scale);
    // -0 would become 0: the number codec holds integers.
    if (!(Math.abs(whole) <= 2 ** 51) || !Object.is(whole / scale, value) || Object.is(whole, -0)) return false;
    scaled[i] = whole;
  }
  return true;
}

function writeRaw(out: ByteWriter, words: Words, count: number): void {
  out.u8(RAW);
  out.reserve(8 * count);
  const { bytes } = out;
  let at = out.length;
  for (const source of [words.a, words.b]) {
    for (let shift = 0; shift < 32; shift += 8) {
      for (let i = 0; i < count; i++) bytes[at++] = source[i]! >>> shift;
      out.length = at;
      out.seam();
    }
  }
}

/** Reads `count` values written by encodeInts. */
export function decodeInts(reader: ByteReader, count: number): Words {
  const encoding = reader.u8();
  if (encoding === RAW) return readRaw(reader, count);
  if (encoding !== INTEGERS) throw new StoreError('CORRUPTION', `unknown integer encoding ${encoding}`);
  const values = decodeNumbers(reader, count);
  const a = new Uint32Array(count);
  const b = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const high = Math.floor(values[i]! / TWO_32);
    a[i] = values[i]! - high * TWO_32;
    b[i] = high;
  }
  return { a, b };
}

/** Reads `count` values written by encodeDoubles. */
export function decodeDoubles(reader: ByteReader, count: number): Words {
  const encoding = reader.u8();
  if (encoding === RAW) return readRaw(reader, count);
  const scale = scaleOf(encoding);
  const values = decodeNumbers(reader, count);
  for (let i = 0; i < count; i++) values[i] = values[i]! / scale;
  const bits = new Uint32Array(values.buffer, 0, 2 * count);
  const a = new Uint32Array(count);
  const b = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    a[i] = bits[2 * i]!;
    b[i] = bits[2 * i + 1]!;
  }
  return { a, b };
}

/** What doubles stored with `encoding` were multiplied by. Throws CORRUPTION. */
function scaleOf(encoding: number): number {
  if (encoding >= DECIMALS && encoding <= DECIMALS + DECIMALS_MAX) return 10 ** (encoding - DECIMALS);
  throw new StoreError('CORRUPTION', `unknown double encoding ${encoding}`);
}

function readRaw(reader: ByteReader, count: number): Words {
  const a = new Uint32Array(count);
  const b = new Uint32Array(count);
  const { bytes } = reader;
  let at = reader.skip(8 * count);
  for (const target of [a, b]) {
    for (let shift = 0; shift < 32; shift += 8) {
      for (let i = 0; i < count; i++) target[i] = target[i]! | (bytes[at++]! << shift);
    }
  }
  return { a, b };
}

/** A stored column of which single values are read. */
export interface PickableWords {
  readonly count: number;
  /** Reads value `index`, which the column has, into `a` and `b`. */
  read(index: number): void;
  readonly a: number;
  readonly b: number;
}

/** As decodeInts, but decodes nothing. */
export function openInts(reader: ByteReader, count: number): PickableWords {
  const encoding = reader.u8();
  if (encoding === RAW) return new DecodedWords(readRaw(reader, count));
  if (encoding !== INTEGERS) throw new StoreError('CORRUPTION', `unknown integer encoding ${encoding}`);
  return new StoredInts(openNumbers(reader, count));
}

/** As decodeDoubles, but decodes nothing. */
export function openDoubles(reader: ByteReader, count: number): PickableWords {
  const encoding = reader.u8();
  if (encoding === RAW) return new DecodedWords(readRaw(reader, count));
  return new StoredDoubles(openNumbers(reader, count), scaleOf(encoding));
}

/** Values that have all eight bytes: rare, so all are read. */
class DecodedWords implements PickableWords {
  a = 0;
  b = 0;
  readonly #words: Words;

  constructor(words: Words) {
    this.#words = words;
  }

  get count(): number {
    return this.#words.a.length;
  }

  read(index: number): void {
    this.a = this.#words.a[index]!;
    this.b = this.#words.b[index]!;
  }
}

abstract class StoredWords implements PickableWords {
  a = 0;
  b = 0;
  protected readonly values: PickableNumbers;

  constructor(values: PickableNumbers) {
    this.values = values;
  }

  get count(): number {
    return this.values.count;
  }

  abstract read(index: number): void;
}

class StoredInts extends StoredWords {
  read(index: number): void {
    const value = this.values.at(index);
    const high = Math.floor(value / TWO_32);
    this.a = value - high * TWO_32;
    this.b = high >>> 0;
  }
}

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);

class StoredDoubles extends StoredWords {
  readonly #scale: number;

  constructor(values: PickableNumbers, scale: number) {
    super(values);
    this.#scale = scale;
  }

  read(index: number): void {
    double[0] = this.values.at(index) / this.#scale;
    this.a = doubleWords[0]!;
    this.b = doubleWords[1]!;
  }
}
