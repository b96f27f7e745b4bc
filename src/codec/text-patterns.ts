// The form of a list of texts that consist of a few phrases with numbers and ids in them: addresses, URLs, statements,
// file names with dates. A pattern is a text without its variables. Each pattern is stored once, numbers as numbers,
// ids in binary. The form is exact: a text is its pattern with its variables printed into it.
//
// A pattern has one byte below 32 in place of each variable; a text that contains such bytes has no pattern.
//   0        a decimal number without leading zero, below 10^15
//   2 … 15   a decimal number of so many digits, the first of which is 0
//   16       a lower-case UUID
//   17 n     2n lower-case hex digits; n is a byte
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { decodeNumbers, encodeNumbers } from './numbers.ts';
import {
  DECIMAL_DIGITS_MAX,
  decimalDigits,
  HEX_LENGTH_MIN,
  isUuid,
  printDigits,
  printHex,
  printUuid,
  writeHex,
  writeUuid,
  type Texts,
} from './text-forms.ts';

const NUMBER = 0;
const UUID = 16;
const HEX = 17;
/** In a pattern, bytes below this are variables. */
const LITERAL_MIN = 32;
/** Limit of the length byte of a hex variable. */
const HEX_LENGTH_MAX = 510;
/** Further numbers of one text stay text: each slot is a column with a head of its own. */
const SLOTS_MAX = 24;
/** Limit of the text decoded from one list. Valid blocks stay far below; it bounds what a damaged pattern can print. */
const TEXT_BYTES_MAX: number = 1 << 28;

/** Kind of each byte: 0 neither word nor variable, 1 word, 2 word or hex, 3 digit, 4 not allowed. */
const WORD = 1;
const HEX_LETTER = 2;
const DIGIT = 3;
const FORBIDDEN = 4;
const KIND = new Uint8Array(256);
KIND.fill(FORBIDDEN, 0, LITERAL_MIN);
for (let i = 0; i < 26; i++) {
  KIND[0x41 + i] = WORD;
  KIND[0x61 + i] = i < 6 ? HEX_LETTER : WORD;
}
for (let i = 0; i < 10; i++) KIND[0x30 + i] = DIGIT;

/** A growing list of numbers. */
class NumberList {
  values = new Float64Array(64);
  count = 0;

  push(value: number): void {
    if (this.count === this.values.length) {
      const grown = new Float64Array(2 * this.count);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.count++] = value;
  }
}

/** Texts split into patterns and variables. */
export class TextPatterns {
  readonly patterns = new ByteTable();
  readonly codes = new NumberList();
  /** slots[i] has the i-th number of every text that has one, in text order. */
  readonly slots: NumberList[] = [];
  /** UUIDs and hex in binary, in text order. */
  readonly ids = new ByteWriter(256);
  readonly #pattern = new ByteWriter(256);
  #slot = 0;

  /** Splits texts[0, count); undefined when they have more than `patternsMax` patterns or one has none. */
  static of(texts: Texts, count: number, patternsMax: number): TextPatterns | undefined {
    assert(count <= texts.a.length && count <= texts.b.length, 'more texts to take apart than there are');
    const taken = new TextPatterns();
    for (let i = 0; i < count; i++) {
      if (!taken.#add(texts.bytes, texts.a[i]!, texts.a[i]! + texts.b[i]!)) return undefined;
      if (taken.patterns.count > patternsMax) return undefined;
    }
    return taken;
  }

  /** Estimated size of the compressed output of write(), in bytes: variables do not shrink, phrases do. */
  get estimatedBytes(): number {
    let bits = this.codes.count * Math.log2(this.patterns.count);
    for (const { values, count } of this.slots) {
      let min = Infinity;
      let max = 0;
      for (let i = 0; i < count; i++) {
        if (values[i]! < min) min = values[i]!;
        if (values[i]! > max) max = values[i]!;
      }
      bits += count * Math.log2(max - min + 1);
    }
    return bits / 8 + this.ids.length + this.patterns.sizeBytes / 3;
  }

  write(out: ByteWriter): void {
    const { patterns } = this;
    out.varint(patterns.count);
    for (let id = 0; id < patterns.count; id++) out.varint(patterns.end(id) - patterns.start(id));
    out.rawRange(patterns.arena, 0, patterns.sizeBytes);
    out.seam();
    for (const { values, count } of [this.codes, ...this.slots]) encodeNumbers(out, values, count);
    out.raw(this.ids.view());
  }

  #add(bytes: Uint8Array, start: number, end: number): boolean {
    const pattern = this.#pattern;
    pattern.length = 0;
    this.#slot = 0;
    for (let at = start; at < end;) {
      const kind = KIND[bytes[at]!]!;
      if (kind === FORBIDDEN) return false;
      if (kind === 0) pattern.u8(bytes[at++]!);
      else at = this.#addToken(bytes, at, end);
    }
    this.codes.push(this.patterns.intern(pattern.bytes, 0, pattern.length));
    return true;
  }

  /** Adds a run of letters and digits (or a UUID) from `start`; returns its end. */
  #addToken(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let isHex = true;
    let digits = 0;
    for (; at < end; at++) {
      const kind = KIND[bytes[at]!]!;
      if (kind === 0 || kind === FORBIDDEN) break;
      if (kind === WORD) isHex = false;
      else if (kind === DIGIT) digits++;
    }
    const size = at - start;
    if (isHex && size === 8 && end - start >= 36 && isUuid(bytes, start)) {
      this.#pattern.u8(UUID);
      writeUuid(this.ids, bytes, start);
      return start + 36;
    }
    if (isHex && isId(size, digits)) {
      this.#pattern.u8(HEX);
      this.#pattern.u8(size / 2);
      writeHex(this.ids, bytes, start, size);
    } else if (digits === 0) this.#pattern.rawRange(bytes, start, at);
    else this.#addWord(bytes, start, at);
    return at;
  }

  /** Adds letters as they are, each run of digits as a number. */
  #addWord(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end;) {
      if (KIND[bytes[at]!] !== DIGIT) {
        this.#pattern.u8(bytes[at++]!);
        continue;
      }
      const from = at;
      let value = 0;
      for (; at < end && KIND[bytes[at]!] === DIGIT; at++) value = value * 10 + bytes[at]! - 0x30;
      if (at - from > DECIMAL_DIGITS_MAX || this.#slot === SLOTS_MAX) this.#pattern.rawRange(bytes, from, at);
      else {
        this.#pattern.u8(bytes[from] === 0x30 && at - from > 1 ? at - from : NUMBER);
        (this.slots[this.#slot++] ??= new NumberList()).push(value);
      }
    }
  }
}

/** Whether hex of `size` digits is an id. Letters alone are more often a word ("deadbeef"), digits a number. */
function isId(size: number, digits: number): boolean {
  if (size < HEX_LENGTH_MIN || size > HEX_LENGTH_MAX || size % 2 !== 0 || digits === 0) return false;
  return digits < size || size > DECIMAL_DIGITS_MAX;
}

/** A decoded pattern, for printing. */
interface Phrase {
  readonly bytes: Uint8Array;
  readonly slots: number;
  readonly idBytes: number;
  /** Limit of the length of its texts. */
  readonly textBytesMax: number;
}

/** The texts of a list: all bytes, and the start and length of each. */
export interface Printed {
  readonly text: Uint8Array;
  readonly size: number;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
}

/** Reads `count` texts written by TextPatterns.write. Throws CORRUPTION. */
export function readPatterns(reader: ByteReader, count: number): Printed {
  const { printer, phrases, codes, textBytes } = readVariables(reader, count);
  const text = new Uint8Array(textBytes);
  const a = new Uint32Array(count);
  const b = new Uint32Array(count);
  for (let i = 0, at = 0; i < count; i++) {
    a[i] = at;
    at = printer.print(phrases[codes[i]!]!.bytes, text, at);
    b[i] = at - a[i]!;
  }
  return { text, size: count === 0 ? 0 : a[count - 1]! + b[count - 1]!, a, b };
}

/** Opens `count` texts written by TextPatterns.write, to print some of them. Throws CORRUPTION. */
export function openPatterns(reader: ByteReader, count: number): OpenPatterns {
  return new OpenPatterns(readVariables(reader, count));
}

interface Variables {
  readonly phrases: readonly Phrase[];
  /** Phrase of each text. */
  readonly codes: Float64Array;
  readonly printer: Printer;
  /** Limit of the length of all texts together. */
  readonly textBytes: number;
}

function readVariables(reader: ByteReader, count: number): Variables {
  const phrases = readPhrases(reader);
  const codes = decodeNumbers(reader, count);
  const uses = new Uint32Array(phrases.length);
  for (let i = 0; i < count; i++) {
    const code = codes[i]!;
    if (!(code < uses.length) || code >>> 0 !== code)
      throw new StoreError('CORRUPTION', `text pattern ${code} of ${uses.length}`);
    uses[code]!++;
  }
  const perSlot: number[] = [];
  let idBytes = 0;
  let textBytes = 0;
  phrases.forEach((phrase, code) => {
    const times = uses[code]!;
    for (let slot = 0; slot < phrase.slots; slot++) perSlot[slot] = (perSlot[slot] ?? 0) + times;
    idBytes += times * phrase.idBytes;
    textBytes += times * phrase.textBytesMax;
  });
  if (textBytes > TEXT_BYTES_MAX) throw new StoreError('CORRUPTION', 'patterns of more text than a block can hold');
  const slots = perSlot.map((values) => decodeNumbers(reader, values));
  return { phrases, codes, printer: new Printer(slots, reader.view(idBytes)), textBytes };
}

/** Texts between two places whose variables are known: finding those of a text takes at most so many steps. */
const TEXTS_PER_MARK = 64;

/** A list of patterns of which single texts are printed. */
export class OpenPatterns {
  readonly #phrases: readonly Phrase[];
  readonly #codes: Float64Array;
  readonly #printer: Printer;
  /** For every TEXTS_PER_MARK-th text: where its variables begin, one number a slot, then the ids. */
  readonly #marks: Uint32Array;
  readonly #markSize: number;

  /** Call openPatterns. */
  constructor({ phrases, codes, printer }: Variables) {
    this.#phrases = phrases;
    this.#codes = codes;
    this.#printer = printer;
    this.#markSize = printer.next.length + 1;
    this.#marks = new Uint32Array(Math.ceil(codes.length / TEXTS_PER_MARK) * this.#markSize);
    printer.begin();
    for (let i = 0; i < codes.length; i++) {
      if (i % TEXTS_PER_MARK === 0) {
        const at = (i / TEXTS_PER_MARK) * this.#markSize;
        this.#marks.set(printer.next, at);
        this.#marks[at + this.#markSize - 1] = printer.idAt;
      }
      printer.skip(phrases[codes[i]!]!);
    }
  }

  get count(): number {
    return this.#codes.length;
  }

  /** Limit of the length of text `index`. */
  textBytesMax(index: number): number {
    return this.#phrases[this.#codes[index]!]!.textBytesMax;
  }

  /** Prints text `index` at the start of `text`; returns its size. */
  printAt(index: number, text: Uint8Array): number {
    const printer = this.#printer;
    const mark = Math.floor(index / TEXTS_PER_MARK);
    const at = mark * this.#markSize;
    printer.next.set(this.#marks.subarray(at, at + this.#markSize - 1));
    printer.idAt = this.#marks[at + this.#markSize - 1]!;
    for (let i = mark * TEXTS_PER_MARK; i < index; i++) printer.skip(this.#phrases[this.#codes[i]!]!);
    return printer.print(this.#phrases[this.#codes[index]!]!.bytes, text, 0);
  }
}

function readPhrases(reader: ByteReader): Phrase[] {
  const lengths = Array.from({ length: reader.count(1) }, () => reader.varint());
  return lengths.map((length) => parsePhrase(reader.view(length)));
}

function parsePhrase(bytes: Uint8Array): Phrase {
  let slots = 0;
  let idBytes = 0;
  let textBytesMax = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= LITERAL_MIN) textBytesMax++;
    else if (byte === UUID) {
      idBytes += 16;
      textBytesMax += 36;
    } else if (byte === HEX && at + 1 < bytes.length) {
      idBytes += bytes[++at]!;
      textBytesMax += 2 * bytes[at]!;
    } else if (byte <= DECIMAL_DIGITS_MAX) {
      slots++;
      textBytesMax += DECIMAL_DIGITS_MAX;
    } else throw new StoreError('CORRUPTION', `byte ${byte} in a text pattern`);
  }
  return { bytes, slots, idBytes, textBytesMax };
}

/** Prints phrases with their variables, one after the other. */
class Printer {
  /** The next number of each slot, and the next byte of the ids. */
  readonly next: Uint32Array;
  idAt = 0;
  readonly #slots: readonly Float64Array[];
  readonly #ids: Uint8Array;

  constructor(slots: readonly Float64Array[], ids: Uint8Array) {
    this.#slots = slots;
    this.next = new Uint32Array(slots.length);
    this.#ids = ids;
  }

  begin(): void {
    this.next.fill(0);
    this.idAt = 0;
  }

  /** Leaves out a text. */
  skip({ slots, idBytes }: Phrase): void {
    for (let slot = 0; slot < slots; slot++) this.next[slot]!++;
    this.idAt += idBytes;
  }

  /** Prints the next text with the pattern `phrase` at text[to]; returns its end. */
  print(phrase: Uint8Array, text: Uint8Array, to: number): number {
    let slot = 0;
    for (let at = 0; at < phrase.length; at++) {
      const byte = phrase[at]!;
      if (byte >= LITERAL_MIN) text[to++] = byte;
      else if (byte === UUID) {
        to = printUuid(text, to, this.#ids, this.idAt);
        this.idAt += 16;
      } else if (byte === HEX) {
        const idBytes = phrase[++at]!;
        for (let i = 0; i < idBytes; i++) to = printHex(text, to, this.#ids[this.idAt++]!);
      } else {
        to = printNumber(text, to, this.#slots[slot]![this.next[slot]!++]!, byte);
        slot++;
      }
    }
    return to;
  }
}

function printNumber(text: Uint8Array, to: number, value: number, width: number): number {
  const digits = decimalDigits(value);
  if (width === NUMBER) return printDigits(text, to, value, digits);
  if (digits >= width) throw new StoreError('CORRUPTION', `${value} in ${width} digits`);
  return printDigits(text, to, value, width);
}
