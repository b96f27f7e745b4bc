// Leaves of OTLP JSON: text → parsed JSON with exact 64-bit integers, and readers of integers, hex and base64.
// JSON.parse rounds number literals beyond 2^53. A body that may contain one is parsed with a reviver that keeps the
// literal's text (ExactNumber); all others use the plain parse, which is five times faster. No reader here throws: for
// a wrong value it returns undefined or false, and the caller, which knows the path, throws.
import { StoreError } from '../base/errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** A number literal that a double cannot hold exactly, with its text. */
export class ExactNumber {
  readonly value: number;
  readonly source: string;

  constructor(value: number, source: string) {
    this.value = value;
    this.source = source;
  }
}

/** 64 bits as two unsigned halves: an out-parameter of the readers, reused so that no field allocates a bigint. */
export class Uint64 {
  lo = 0;
  hi = 0;
}

/** A literal of 16 or more digits outside quotes. A match inside a string only causes the slower parse. */
const LONG_NUMBER = /[:,[\s]-?[\d.]{16}/;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A body may have this many values at any size. */
const VALUES_MIN = 1 << 16;
/**
 * Minimum of body bytes per value: OTLP's shortest attributes have five, usual spans ten. This bounds the heap, and
 * nothing else can: a thread that runs out of heap inside JSON.parse ends the process.
 */
const VALUE_BYTES_MIN = 5;

/**
 * Parses a body. Throws INVALID_REQUEST when it is not UTF-8 or not JSON, LIMIT_EXCEEDED when it has more objects,
 * lists and values than OTLP of this size can have: they would take twenty times their size in memory.
 */
export function parseJson(body: Uint8Array): unknown {
  if (body.length > VALUES_MIN) assertSparse(body);
  let text: string;
  try {
    text = utf8.decode(body);
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', 'malformed JSON: the body is not valid UTF-8', { cause });
  }
  try {
    return LONG_NUMBER.test(text) ? (JSON.parse(text, keepExact) as unknown) : (JSON.parse(text) as unknown);
  } catch (cause) {
    // RangeError: hostile nesting exhausted the reviver's stack.
    const reason = cause instanceof SyntaxError ? cause.message : 'nested too deep';
    throw new StoreError('INVALID_REQUEST', `malformed JSON: ${reason}`, { cause });
  }
}

/** Counts characters that begin or separate values, even inside texts. */
function assertSparse(body: Uint8Array): void {
  const max = VALUES_MIN + body.length / VALUE_BYTES_MIN;
  let count = 0;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]!;
    if (byte === 0x2c || byte === 0x3a || byte === 0x5b || byte === 0x7b) count++;
  }
  if (count <= max) return;
  throw new StoreError(
    'LIMIT_EXCEEDED',
    `${body.length} bytes of JSON with ${count} objects, lists and values: too many for OTLP; send less`,
  );
}

function keepExact(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  return context?.source === undefined ? value : new ExactNumber(value, context.source);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** A wrong value for an error message: short, one line. */
export function describeJson(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof ExactNumber) return value.source.slice(0, 60);
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

/** JSON's number grammar, but with any leading zeros; groups: sign, whole, fraction, exponent. */
const DECIMAL = /^(-?)(\d{1,64})(?:\.(\d{1,64}))?(?:[eE]([+-]?\d{1,3}))?$/;
const TWO_32 = 0x1_0000_0000;

/** Reads an integer in [0, 2^64): a number, or its decimal text. False for anything else. */
export function readUint64(value: unknown, out: Uint64): boolean {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return setHalves(out, value);
  if (typeof value === 'string' && readDigits(value, out)) return true;
  return readExact(decimalText(value), out, 0n, UINT64_MAX);
}

/** Reads an integer in [-2^63, 2^63) as two's complement: a number, or its decimal text. False for anything else. */
export function readInt64(value: unknown, out: Uint64): boolean {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return setHalves(out, value);
  return readExact(decimalText(value), out, INT64_MIN, INT64_MAX);
}

/**
 * The text of a number, or the text itself; '' (no integer) for anything else. A literal of up to 15 digits ("1e18") is
 * the shortest text of its double, so String gives it back exactly; longer ones are ExactNumbers.
 */
function decimalText(value: unknown): string {
  if (value instanceof ExactNumber) return value.source;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

const UINT64_MAX = 2n ** 64n - 1n;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Floor division keeps the low half right for negatives: hi and lo are then the two's complement. */
function setHalves(out: Uint64, value: number): boolean {
  out.lo = value >>> 0 === value ? value : ((value % TWO_32) + TWO_32) % TWO_32;
  out.hi = Math.floor(value / TWO_32) >>> 0;
  return true;
}

/**
 * Parses a time of up to 19 plain digits without a bigint, because every span has two. False: the caller uses the exact
 * reader. value = head × 10^9 + tail; head is split at 16 bits so that every product stays below 2^53.
 */
function readDigits(text: string, out: Uint64): boolean {
  const { length } = text;
  if (length === 0 || length > 19) return false;
  let head = 0;
  let tail = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return false;
    if (length - i > 9) head = head * 10 + digit;
    else tail = tail * 10 + digit;
  }
  const low = (head % 65536) * 1e9 + tail;
  const high = Math.floor(head / 65536) * 1e9 + Math.floor(low / 65536);
  out.lo = (high % 65536) * 65536 + (low % 65536);
  out.hi = Math.floor(high / 65536);
  return true;
}

function readExact(text: string, out: Uint64, min: bigint, max: bigint): boolean {
  const value = decimalToBigInt(text);
  if (value === undefined || value < min || value > max) return false;
  const bits = BigInt.asUintN(64, value);
  out.lo = Number(bits & 0xffff_ffffn);
  out.hi = Number(bits >> 32n);
  return true;
}

/** The integer in a decimal text ("12", "-1.5e1", "1e3"); undefined if it is no integer or absurdly long. */
function decimalToBigInt(text: string): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = whole + fraction;
  const zeros = Number(exponent) - fraction.length;
  const kept = zeros < 0 ? digits.slice(0, zeros) : digits + '0'.repeat(Math.min(zeros, 64));
  if (zeros < 0 && /[1-9]/.test(digits.slice(zeros))) return undefined;
  const value = BigInt(kept === '' ? '0' : kept);
  return sign === '-' ? -value : value;
}

/** Reads an integer in [min, max] that a double holds: a number, or its decimal text. */
export function readInt(value: unknown, min: number, max: number): number | undefined {
  const number = typeof value === 'string' ? Number(decimalToBigInt(value) ?? NaN) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : undefined;
}

/** Reads a double: a number, its decimal text, or "NaN", "Infinity", "-Infinity". */
export function readDouble(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value instanceof ExactNumber) return value.value;
  if (typeof value !== 'string') return undefined;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  return DECIMAL.test(value) ? Number(value) : undefined;
}

/** Decodes hex of either case into `out`, which must have room; returns the bytes written, or undefined. */
export function readHex(text: string, out: Uint8Array, at: number): number | undefined {
  const size = text.length >> 1;
  if (text.length % 2 !== 0) return undefined;
  for (let i = 0; i < size; i++) {
    const high = hexDigit(text.charCodeAt(i * 2));
    const low = hexDigit(text.charCodeAt(i * 2 + 1));
    if ((high | low) < 0) return undefined;
    out[at + i] = (high << 4) | low;
  }
  return size;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** Decodes base64 in the standard or URL alphabet, padded or not; undefined if it is neither. */
export function readBase64(text: string): Uint8Array | undefined {
  const unpadded = text.replace(/={1,2}$/, '');
  if (unpadded.length % 4 === 1 || !/^[\w+/-]*$/.test(unpadded)) return undefined;
  return Buffer.from(unpadded, 'base64');
}
