// A growing buffer of JSON text in UTF-8. Strings given as UTF-8 bytes are copied as bytes if they need no escaping
// (nearly all), so large answers never make a JavaScript string per value. Literals and numbers have the format of Go's
// encoding/json, which also made the clients' golden files.
import { isUtf8 } from 'node:buffer';

const TWO_32 = 4_294_967_296;
const HEX = Buffer.from('0123456789abcdef');
const QUOTE = 0x22;
/** Longer texts are checked by the native function at once. */
const LOOPED_BYTES_MAX = 256;
/** Go escapes these in every mode: line separators, which end a line in old JavaScript. */
const SEPARATORS = /[\u2028\u2029]/g;
const HTML = /[<>&\u2028\u2029]/g;

/** 1 for bytes that need no escape inside quotes. */
function plainBytes(isHtmlEscaped: boolean): Uint8Array {
  const plain = new Uint8Array(256).fill(1, 0x20, 0x7f);
  for (const char of isHtmlEscaped ? '"\\<>&' : '"\\') plain[char.charCodeAt(0)] = 0;
  return plain;
}

const PLAIN = plainBytes(false);
const PLAIN_HTML = plainBytes(true);

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** `text` as a JSON string literal; `isHtmlEscaped` also escapes < > & (\u003c \u003e \u0026), as Go's json.Marshal. */
export function quoteJson(text: string, isHtmlEscaped = true): string {
  const quoted = JSON.stringify(text);
  return quoted.replace(isHtmlEscaped ? HTML : SEPARATORS, unicodeEscape);
}

/** A finite double as Go prints it: like JavaScript, but keeping the sign of -0. */
export function formatDouble(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Unsigned 64 bits given as two uint32, in decimal. */
export function formatUint64(lo: number, hi: number): string {
  if (hi < 0x20_0000) return String(hi * TWO_32 + lo);
  return ((BigInt(hi) << 32n) | BigInt(lo)).toString();
}

/** Signed 64 bits given as two uint32, in decimal. */
export function formatInt64(lo: number, hi: number): string {
  if (hi < 0x20_0000) return String(hi * TWO_32 + lo);
  if (hi >= 0xffe0_0000) return String((hi - TWO_32) * TWO_32 + lo);
  return BigInt.asIntN(64, (BigInt(hi) << 32n) | BigInt(lo)).toString();
}

export class JsonWriter {
  #bytes: Buffer;
  readonly #plain: Uint8Array;
  readonly #isHtmlEscaped: boolean;
  length = 0;

  constructor(options: { readonly isHtmlEscaped: boolean; readonly capacityBytes?: number }) {
    this.#isHtmlEscaped = options.isHtmlEscaped;
    this.#plain = options.isHtmlEscaped ? PLAIN_HTML : PLAIN;
    this.#bytes = Buffer.allocUnsafe(options.capacityBytes ?? 16_384);
  }

  /** Appends ASCII JSON text verbatim: punctuation, keys, numbers. */
  text(ascii: string): void {
    const size = ascii.length;
    const bytes = this.#room(size);
    const { length } = this;
    if (size < 32) for (let i = 0; i < size; i++) bytes[length + i] = ascii.charCodeAt(i);
    else bytes.write(ascii, length, 'latin1');
    this.length = length + size;
  }

  /** Appends any JSON text verbatim. */
  utf8Text(text: string): void {
    const bytes = this.#room(text.length * 3);
    this.length += bytes.write(text, this.length, 'utf8');
  }

  /** Appends `value` as a string literal. */
  string(value: string): void {
    const size = value.length;
    if (size > 64) return this.utf8Text(this.#quote(value));
    const bytes = this.#room(size + 2);
    const plain = this.#plain;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = 0; i < size; i++) {
      const unit = value.charCodeAt(i);
      if (plain[unit] !== 1) return this.utf8Text(this.#quote(value));
      bytes[at++] = unit;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /**
   * Appends the UTF-8 bytes [start, end) as a string literal. Invalid sequences become U+FFFD to keep the JSON valid; a
   * caller that must keep such bytes checks isUtf8Range first.
   */
  utf8(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#room(end - start + 2);
    const plain = this.#plain;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = source[i]!;
      if (plain[byte] !== 1) return this.string(utf8Slice(source, start, end));
      bytes[at++] = byte;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /** Appends the bytes [start, end) as a string literal of lower-case hex. */
  hex(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#room((end - start) * 2 + 2);
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      bytes[at++] = HEX[source[i]! >>> 4]!;
      bytes[at++] = HEX[source[i]! & 15]!;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /** Appends the bytes [start, end) as a string literal of padded standard base64. */
  base64(source: Uint8Array, start: number, end: number): void {
    this.text(`"${Buffer.from(source.buffer, source.byteOffset + start, end - start).toString('base64')}"`);
  }

  /** Returns a copy of the content and empties the writer. */
  take(): Buffer {
    const out = Buffer.from(this.#bytes.subarray(0, this.length));
    this.length = 0;
    return out;
  }

  /** Without HTML escaping, line separators are not escaped either: the Collector writes OTLP JSON this way. */
  #quote(value: string): string {
    return this.#isHtmlEscaped ? quoteJson(value) : JSON.stringify(value);
  }

  #room(sizeBytes: number): Buffer {
    const need = this.length + sizeBytes;
    if (need <= this.#bytes.length) return this.#bytes;
    const grown = Buffer.allocUnsafe(Math.max(need, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
    return grown;
  }
}

/** The UTF-8 bytes [start, end) as a string, invalid sequences as U+FFFD. */
export function utf8Slice(source: Uint8Array, start: number, end: number): string {
  if (source instanceof Buffer) return source.toString('utf8', start, end); // avoids a view
  return Buffer.from(source.buffer, source.byteOffset + start, end - start).toString('utf8');
}

/** False when [start, end) is not valid UTF-8. */
export function isUtf8Range(source: Uint8Array, start: number, end: number): boolean {
  // Nearly all texts are short and ASCII, where a loop is faster than a view and a call.
  if (end - start <= LOOPED_BYTES_MAX && isAscii(source, start, end)) return true;
  return isUtf8(source.subarray(start, end));
}

export function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}
