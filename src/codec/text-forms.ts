// Compact forms of a list of strings. A form is used only if its decoder prints EVERY string of the list exactly, so
// nothing is lost: with one exception the list stays text.
import { StoreError } from '../base/errors.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';
import { scratch } from '../bytes/scratch.ts';

/** Byte strings as (offset, length) pairs into `bytes`. */
export interface Texts {
  readonly bytes: Uint8Array;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
}

/** Value of a lower-case hex digit, 255 for any other byte. */
const HEX_VALUE = new Uint8Array(256).fill(255);
for (let i = 0; i < 16; i++) HEX_VALUE['0123456789abcdef'.charCodeAt(i)] = i;

/** Decimal numbers up to 15 digits fit a double exactly. */
export const DECIMAL_DIGITS_MAX = 15;
/** Shorter hex strings are more often words ("add", "beef") than ids, and save little. */
export const HEX_LENGTH_MIN = 8;
const HEX_DIGITS = new TextEncoder().encode('0123456789abcdef');

/** True when every string is a lower-case UUID, 8-4-4-4-12. */
export function uuidForm(texts: Texts, count: number): boolean {
  for (let i = 0; i < count; i++) if (texts.b[i] !== 36 || !isUuid(texts.bytes, texts.a[i]!)) return false;
  return true;
}

/** True when a lower-case UUID begins at `start`. */
export function isUuid(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < 36; i++) {
    const byte = bytes[start + i]!;
    if (i === 8 || i === 13 || i === 18 || i === 23 ? byte !== 0x2d : HEX_VALUE[byte] === 255) return false;
  }
  return true;
}

/** True when every string is lower-case hex of even length, at least 8. */
export function hexForm(texts: Texts, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const start = texts.a[i]!;
    const size = texts.b[i]!;
    if (size < HEX_LENGTH_MIN || size % 2 !== 0) return false;
    for (let at = start; at < start + size; at++) if (HEX_VALUE[texts.bytes[at]!] === 255) return false;
  }
  return true;
}

/** The values if every string is a decimal number without sign or leading zero; else undefined. In scratch memory. */
export function decimalForm(texts: Texts, count: number): Float64Array | undefined {
  const values = scratch.float64(count);
  for (let i = 0; i < count; i++) {
    const start = texts.a[i]!;
    const size = texts.b[i]!;
    if (size === 0 || size > DECIMAL_DIGITS_MAX || (size > 1 && texts.bytes[start] === 0x30)) return undefined;
    let value = 0;
    for (let at = start; at < start + size; at++) {
      const digit = texts.bytes[at]! - 0x30;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    values[i] = value;
  }
  return values;
}

export function writeUuid(out: ByteWriter, bytes: Uint8Array, start: number): void {
  writeHex(out, bytes, start, 8);
  writeHex(out, bytes, start + 9, 4);
  writeHex(out, bytes, start + 14, 4);
  writeHex(out, bytes, start + 19, 4);
  writeHex(out, bytes, start + 24, 12);
}

export function writeHex(out: ByteWriter, bytes: Uint8Array, start: number, size: number): void {
  out.reserve(size / 2);
  for (let at = start; at < start + size; at += 2) {
    out.bytes[out.length++] = (HEX_VALUE[bytes[at]!]! << 4) | HEX_VALUE[bytes[at + 1]!]!;
  }
}

/** True when the UUID at `start` is a random one (version 4, variant 10), in which only 122 bits vary. */
export function isRandomUuid(bytes: Uint8Array, start: number): boolean {
  const variant = bytes[start + 19]!;
  return bytes[start + 14] === 0x34 && HEX_VALUE[variant]! >>> 2 === 2;
}

/** Prints ids[from, from + 16) as a UUID at text[to]; returns its end. */
export function printUuid(text: Uint8Array, to: number, ids: Uint8Array, from: number): number {
  for (let byte = 0; byte < 16; byte++) {
    if (byte === 4 || byte === 6 || byte === 8 || byte === 10) text[to++] = 0x2d;
    const value = ids[from + byte]!;
    text[to++] = HEX_DIGITS[value >>> 4]!;
    text[to++] = HEX_DIGITS[value & 15]!;
  }
  return to;
}

/** Prints a byte in hex at text[to]; returns its end. */
export function printHex(text: Uint8Array, to: number, value: number): number {
  text[to] = HEX_DIGITS[value >>> 4]!;
  text[to + 1] = HEX_DIGITS[value & 15]!;
  return to + 2;
}

/** Number of decimal digits of `value`. Throws CORRUPTION for a value that decimalForm never returns. */
export function decimalDigits(value: number): number {
  if (value >>> 0 !== value) {
    if (!(value >= 0 && value < 10 ** DECIMAL_DIGITS_MAX) || value !== Math.floor(value))
      throw new StoreError('CORRUPTION', `${value} is no decimal number of a text`);
  }
  let digits = 1;
  for (let end = 10; end <= value; end *= 10) digits++;
  return digits;
}

/** Prints `value` in `digits` digits at text[to], padded with zeros; returns its end. */
export function printDigits(text: Uint8Array, to: number, value: number, digits: number): number {
  let at = to + digits - 1;
  let rest = value;
  for (; rest >>> 0 !== rest; at--) {
    const next = Math.floor(rest / 10);
    text[at] = 0x30 + rest - next * 10;
    rest = next;
  }
  for (let small = rest >>> 0; at >= to; at--) {
    const next = (small / 10) >>> 0;
    text[at] = 0x30 + small - next * 10;
    small = next;
  }
  return to + digits;
}
