// The forms a list of strings can be stored in more narrowly than as text. A form is chosen only when EVERY string of
// the list is exactly what the decoder will print, so that nothing is lost: one odd string and the list stays text.
import type { ByteWriter } from '../bytes/byte-writer.ts';

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
const DECIMAL_DIGITS_MAX = 15;
/** The first number with more digits. */
export const DECIMAL_END: number = 10 ** DECIMAL_DIGITS_MAX;
/** Shorter hex strings are more often words ("add", "beef") than ids, and gain little. */
const HEX_LENGTH_MIN = 8;

/** True when every string is a lower-case UUID, 8-4-4-4-12. */
export function uuidForm(texts: Texts, count: number): boolean {
  for (let i = 0; i < count; i++) if (texts.b[i] !== 36 || !isUuid(texts.bytes, texts.a[i]!)) return false;
  return true;
}

function isUuid(bytes: Uint8Array, start: number): boolean {
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

/** The values when every string is a decimal number without sign or leading zero; else undefined. */
export function decimalForm(texts: Texts, count: number): Float64Array | undefined {
  const values = new Float64Array(count);
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

/** Prints a non-negative integer below 10^15 at text[to]; returns where it ended. */
export function writeDecimal(text: Uint8Array, to: number, value: number): number {
  const digits = String(value);
  for (let i = 0; i < digits.length; i++) text[to + i] = digits.charCodeAt(i);
  return to + digits.length;
}
