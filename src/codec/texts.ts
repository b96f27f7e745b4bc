// A column of byte strings ↔ bytes. Layout: docs/format/block.md, "text list" and "text column".
// A text list holds strings one after the other, in the narrowest form that gives every byte back: UUIDs and hex in
// binary, decimal numbers as numbers, else lengths and bytes. A text column is a list of all values, or a list of the
// distinct ones with a code for each value.
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';
import { decodeNumbers, encodeNumbers } from './numbers.ts';
import {
  DECIMAL_END,
  decimalForm,
  hexForm,
  uuidForm,
  writeDecimal,
  writeHex,
  writeUuid,
  type Texts,
} from './text-forms.ts';

const PLAIN = 0;
const UUID = 1;
const HEX = 2;
const DECIMAL = 3;
const LIST = 0;
const DICTIONARY = 1;

/** Where decoded text goes: returns the offset of the first byte. */
export interface Arena {
  appendArena(bytes: Uint8Array, start?: number, end?: number): number;
}

/** Writes texts[0, count). With `narrow` the special forms are tried; without, lengths and bytes at once. */
export function encodeTextList(out: ByteWriter, texts: Texts, count: number, narrow: boolean): void {
  if (narrow && count > 0) {
    if (uuidForm(texts, count)) {
      out.u8(UUID);
      for (let i = 0; i < count; i++) writeUuid(out, texts.bytes, texts.a[i]!);
      return;
    }
    const numbers = decimalForm(texts, count);
    if (numbers !== undefined) {
      out.u8(DECIMAL);
      encodeNumbers(out, numbers, count);
      return;
    }
    if (hexForm(texts, count)) {
      out.u8(HEX);
      encodeLengths(out, texts, count);
      for (let i = 0; i < count; i++) writeHex(out, texts.bytes, texts.a[i]!, texts.b[i]!);
      return;
    }
  }
  out.u8(PLAIN);
  encodeLengths(out, texts, count);
  for (let i = 0; i < count; i++) out.rawRange(texts.bytes, texts.a[i]!, texts.a[i]! + texts.b[i]!);
}

function encodeLengths(out: ByteWriter, texts: Texts, count: number): void {
  const lengths = new Float64Array(count);
  for (let i = 0; i < count; i++) lengths[i] = texts.b[i]!;
  encodeNumbers(out, lengths, count);
}

/** Reads a list of `count` strings into `arena`. */
export function decodeTextList(reader: ByteReader, count: number, arena: Arena): { a: Uint32Array; b: Uint32Array } {
  const form = reader.u8();
  switch (form) {
    case PLAIN: {
      const lengths = decodeNumbers(reader, count);
      const { a, b, total } = offsets(lengths, 1, reader.left);
      const at = reader.skip(total);
      shift(a, arena.appendArena(reader.bytes, at, at + total));
      return { a, b };
    }
    case UUID:
      return decodeUuids(reader, count, arena);
    case HEX:
      return decodeHex(reader, count, arena);
    case DECIMAL:
      return decodeDecimals(decodeNumbers(reader, count), arena);
    default:
      throw new StoreError('CORRUPTION', `unknown text form ${form}`);
  }
}

/** Offsets from 0 and lengths × factor; CORRUPTION when they exceed `max` stored bytes. */
function offsets(
  lengths: Float64Array,
  factor: number,
  max: number,
): { a: Uint32Array; b: Uint32Array; total: number } {
  const a = new Uint32Array(lengths.length);
  const b = new Uint32Array(lengths.length);
  let total = 0;
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i]!;
    a[i] = total * factor;
    b[i] = length * factor;
    total += length;
    if (!(length >= 0 && total <= max)) throw new StoreError('CORRUPTION', 'text lengths exceed their column');
    if (length !== Math.floor(length)) throw new StoreError('CORRUPTION', `a text length of ${length} bytes`);
  }
  return { a, b, total };
}

function shift(a: Uint32Array, by: number): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! + by;
}

const HEX_DIGITS = new TextEncoder().encode('0123456789abcdef');

function decodeUuids(reader: ByteReader, count: number, arena: Arena): { a: Uint32Array; b: Uint32Array } {
  const { bytes } = reader;
  let from = reader.skip(16 * count);
  const text = new Uint8Array(36 * count);
  let to = 0;
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < 16; byte++) {
      if (byte === 4 || byte === 6 || byte === 8 || byte === 10) text[to++] = 0x2d;
      const value = bytes[from++]!;
      text[to++] = HEX_DIGITS[value >>> 4]!;
      text[to++] = HEX_DIGITS[value & 15]!;
    }
  }
  const at = arena.appendArena(text);
  const a = new Uint32Array(count);
  for (let i = 0; i < count; i++) a[i] = at + 36 * i;
  return { a, b: new Uint32Array(count).fill(36) };
}

function decodeHex(reader: ByteReader, count: number, arena: Arena): { a: Uint32Array; b: Uint32Array } {
  const { a, b, total } = offsets(fromTextLengths(decodeNumbers(reader, count)), 2, reader.left);
  const { bytes } = reader;
  const from = reader.skip(total);
  const text = new Uint8Array(2 * total);
  for (let i = 0; i < total; i++) {
    const value = bytes[from + i]!;
    text[2 * i] = HEX_DIGITS[value >>> 4]!;
    text[2 * i + 1] = HEX_DIGITS[value & 15]!;
  }
  shift(a, arena.appendArena(text));
  return { a, b };
}

function fromTextLengths(lengths: Float64Array): Float64Array {
  for (let i = 0; i < lengths.length; i++) lengths[i] = lengths[i]! / 2;
  return lengths;
}

function decodeDecimals(values: Float64Array, arena: Arena): { a: Uint32Array; b: Uint32Array } {
  const a = new Uint32Array(values.length);
  const b = new Uint32Array(values.length);
  const text = new Uint8Array(16 * values.length);
  let to = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(value >= 0 && value < DECIMAL_END) || value !== Math.floor(value)) {
      throw new StoreError('CORRUPTION', `${value} in a column of decimal texts`);
    }
    a[i] = to;
    to = writeDecimal(text, to, value);
    b[i] = to - a[i]!;
  }
  shift(a, arena.appendArena(text, 0, to));
  return { a, b };
}

/**
 * Writes a column of strings; `dictionary` looks for repeated values (merged blocks), else every value is written.
 * Returns the distinct values where it looked for them; the table is valid until the next call.
 */
export function encodeTextColumn(
  out: ByteWriter,
  texts: Texts,
  count: number,
  dictionary: boolean,
): ByteTable | undefined {
  const table = dictionary ? sharedTable : undefined;
  if (table !== undefined) {
    table.clear();
    const codes = new Float64Array(count);
    for (let i = 0; i < count; i++) codes[i] = table.intern(texts.bytes, texts.a[i]!, texts.a[i]! + texts.b[i]!);
    // Codes cost about a byte a value: a dictionary pays when at least a third of the values repeat an earlier one.
    if (table.count * 3 <= count * 2) {
      out.u8(DICTIONARY);
      out.varint(table.count);
      encodeTextList(out, tableTexts(table), table.count, true);
      encodeNumbers(out, codes, count);
      return table;
    }
  }
  out.u8(LIST);
  encodeTextList(out, texts, count, dictionary);
  return table;
}

/** Reused from call to call: its memory is the point. Holds nothing between calls. */
const sharedTable = new ByteTable();

/** The entries of a table as texts. */
export function tableTexts(table: ByteTable): Texts {
  const a = new Uint32Array(table.count);
  const b = new Uint32Array(table.count);
  for (let id = 0; id < table.count; id++) {
    a[id] = table.start(id);
    b[id] = table.end(id) - a[id]!;
  }
  return { bytes: table.arena, a, b };
}

/** A decoded text column: values i is entry codes[i] of the list, or entry i where there are no codes. */
export interface TextColumn {
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  readonly codes: Float64Array | undefined;
}

/** Reads a column of `count` strings; the text goes to `arena`, each distinct value of a dictionary once. */
export function decodeTextColumn(reader: ByteReader, count: number, arena: Arena): TextColumn {
  const encoding = reader.u8();
  if (encoding === LIST) return { ...decodeTextList(reader, count, arena), codes: undefined };
  if (encoding !== DICTIONARY) throw new StoreError('CORRUPTION', `unknown text column encoding ${encoding}`);
  const distinct = reader.varint();
  if (distinct > count) throw new StoreError('CORRUPTION', `a dictionary of ${distinct} for ${count} values`);
  const list = decodeTextList(reader, distinct, arena);
  const codes = decodeNumbers(reader, count);
  for (let i = 0; i < count; i++) {
    // >>> 0 changes whatever is no uint32: negative, fraction, NaN.
    if (!(codes[i]! < distinct) || codes[i]! >>> 0 !== codes[i])
      throw new StoreError('CORRUPTION', `dictionary code ${codes[i]} of ${distinct}`);
  }
  return { ...list, codes };
}
