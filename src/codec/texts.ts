// A column of byte strings ↔ bytes. Layout: docs/format/block.md, "text list" and "text column".
// A text list holds strings one after the other, in the most compact exact form: UUIDs and hex in binary, decimal
// numbers as numbers, else lengths and bytes. A text column is a list of all values, or a list of the distinct values
// with a code per value. It is written in pieces, one a row group, which share their distinct values.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';
import { scratch } from '../bytes/scratch.ts';
import { decodeNumbers, encodeNumbers } from './numbers.ts';
import {
  DECIMAL_DIGITS_MAX,
  decimalDigits,
  decimalForm,
  hexForm,
  isRandomUuid,
  printDigits,
  printHex,
  printUuid,
  uuidForm,
  writeHex,
  writeUuid,
  type Texts,
} from './text-forms.ts';
import { readPatterns, TextPatterns } from './text-patterns.ts';

/** Forms of a text list. */
export const PLAIN = 0;
export const UUID = 1;
export const HEX = 2;
export const DECIMAL = 3;
export const RANDOM_UUID = 4;
export const PATTERNS = 5;
/** Encodings of a text column. */
export const LIST = 0;
export const DICTIONARY = 1;
export const SHARED_DICTIONARY = 2;

/** A pattern is worth its space only if it has at least this many texts on average. */
const PATTERN_TEXTS_MIN = 3;

/** Receives decoded text; returns the offset of its first byte. */
export interface Arena {
  appendArena(bytes: Uint8Array, start?: number, end?: number): number;
}

/** Writes texts[0, count). With `narrow` it tries the compact forms; otherwise it writes lengths and bytes. */
export function encodeTextList(out: ByteWriter, texts: Texts, count: number, narrow: boolean): void {
  assert(count <= texts.a.length && count <= texts.b.length, 'more texts to write than there are');
  const { used } = scratch;
  writeTextList(out, texts, count, narrow);
  scratch.giveBack(used);
}

function writeTextList(out: ByteWriter, texts: Texts, count: number, narrow: boolean): void {
  if (narrow && count > 0) {
    if (uuidForm(texts, count)) {
      encodeUuids(out, texts, count);
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
    // With fewer texts per pattern, the patterns and their codes cost as much as the texts.
    const patterns = TextPatterns.of(texts, count, Math.floor(count / PATTERN_TEXTS_MIN));
    if (patterns !== undefined) {
      out.u8(PATTERNS);
      patterns.write(out);
      return;
    }
  }
  out.u8(PLAIN);
  encodeLengths(out, texts, count);
  for (let i = 0; i < count; i++) out.rawRange(texts.bytes, texts.a[i]!, texts.a[i]! + texts.b[i]!);
}

/** A random UUID is 15 bytes and two bits; these pairs of bits follow after all UUIDs, four to a byte. */
function encodeUuids(out: ByteWriter, texts: Texts, count: number): void {
  const { bytes, a } = texts;
  let isRandom = true;
  for (let i = 0; i < count && isRandom; i++) isRandom = isRandomUuid(bytes, a[i]!);
  out.u8(isRandom ? RANDOM_UUID : UUID);
  const rest = new Uint8Array(isRandom ? Math.ceil(count / 4) : 0);
  for (let i = 0; i < count; i++) {
    writeUuid(out, bytes, a[i]!);
    if (!isRandom) continue;
    const at = out.length - 16;
    const variant = out.bytes[at + 8]!;
    out.bytes[at + 6] = (out.bytes[at + 6]! << 4) | ((variant >>> 2) & 15);
    out.bytes.copyWithin(at + 8, at + 9, at + 16);
    rest[i >>> 2] = rest[i >>> 2]! | ((variant & 3) << (2 * (i & 3)));
    out.length--;
  }
  out.raw(rest);
}

function encodeLengths(out: ByteWriter, texts: Texts, count: number): void {
  const lengths = scratch.float64(count);
  for (let i = 0; i < count; i++) lengths[i] = texts.b[i]!;
  encodeNumbers(out, lengths, count);
  out.seam();
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
      return decodeUuids(reader.view(16 * count), count, arena);
    case RANDOM_UUID:
      return decodeUuids(readRandomUuids(reader, count), count, arena);
    case HEX:
      return decodeHex(reader, count, arena);
    case DECIMAL:
      return decodeDecimals(decodeNumbers(reader, count), arena);
    case PATTERNS: {
      const { text, size, a, b } = readPatterns(reader, count);
      shift(a, arena.appendArena(text, 0, size));
      return { a, b };
    }
    default:
      throw new StoreError('CORRUPTION', `unknown text form ${form}`);
  }
}

/** Offsets of texts with these stored lengths. Throws CORRUPTION when they exceed `max` bytes. */
export function offsetsOf(lengths: Float64Array, max: number): { a: Uint32Array; b: Uint32Array; total: number } {
  return offsets(lengths, 1, max);
}

/** Offsets from 0, and lengths × factor. Throws CORRUPTION when their stored bytes exceed `max`. */
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

function readRandomUuids(reader: ByteReader, count: number): Uint8Array {
  const packed = reader.view(15 * count);
  const rest = reader.view(Math.ceil(count / 4));
  const ids = new Uint8Array(16 * count);
  for (let i = 0; i < count; i++) {
    const at = 16 * i;
    for (let byte = 0, from = 15 * i; byte < 16; byte++) if (byte !== 8) ids[at + byte] = packed[from++]!;
    const mixed = ids[at + 6]!;
    ids[at + 6] = 0x40 | (mixed >>> 4);
    ids[at + 8] = 0x80 | ((mixed & 15) << 2) | ((rest[i >>> 2]! >>> (2 * (i & 3))) & 3);
  }
  return ids;
}

function decodeUuids(ids: Uint8Array, count: number, arena: Arena): { a: Uint32Array; b: Uint32Array } {
  const text = new Uint8Array(36 * count);
  for (let i = 0; i < count; i++) printUuid(text, 36 * i, ids, 16 * i);
  const at = arena.appendArena(text);
  const a = new Uint32Array(count);
  for (let i = 0; i < count; i++) a[i] = at + 36 * i;
  return { a, b: new Uint32Array(count).fill(36) };
}

function decodeHex(reader: ByteReader, count: number, arena: Arena): { a: Uint32Array; b: Uint32Array } {
  const { a, b, total } = offsets(fromTextLengths(decodeNumbers(reader, count)), 2, reader.left);
  const text = new Uint8Array(2 * total);
  const bytes = reader.view(total);
  for (let i = 0; i < total; i++) printHex(text, 2 * i, bytes[i]!);
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
  const text = new Uint8Array(DECIMAL_DIGITS_MAX * values.length);
  let to = 0;
  for (let i = 0; i < values.length; i++) {
    const digits = decimalDigits(values[i]!);
    a[i] = to;
    b[i] = digits;
    to = printDigits(text, to, values[i]!, digits);
  }
  shift(a, arena.appendArena(text, 0, to));
  return { a, b };
}

/** Where the pieces of a text column go: piece i has the values up to ends[i]. */
export interface TextPieces {
  readonly outs: readonly ByteWriter[];
  readonly ends: readonly number[];
  /** Takes the distinct values if several pieces share them. */
  readonly shared: ByteWriter;
}

export interface DistinctTexts {
  readonly distinct: ByteTable;
  /** Of each value: its index among the distinct ones. */
  readonly codes: Float64Array;
  /** The distinct values were written to TextPieces.shared: a text list, which decodeTextColumn needs. */
  readonly isShared: boolean;
}

/**
 * Writes a column of strings in pieces; `dictionary` looks for repeated values (merged blocks), else every value is
 * written. With `dictionary` returns the distinct values and the code of each value; valid until the next call.
 */
export function encodeTextColumn(pieces: TextPieces, texts: Texts, dictionary: boolean): DistinctTexts | undefined {
  const count = pieces.ends.at(-1)!;
  assert(count <= texts.a.length && count <= texts.b.length, 'more texts to write than there are');
  if (!dictionary) {
    writeLists(pieces, texts, false);
    return undefined;
  }
  const distinct = sharedTable;
  distinct.clear();
  const codes = scratch.float64(count);
  internAll(distinct, texts, codes);
  // Codes cost about a byte a value: a dictionary pays if at least a third of the values repeat an earlier one.
  const repeats = distinct.count * 3 <= count * 2;
  const hasDictionary = repeats && !arePatternsCheaper(distinct, codes);
  const isShared = hasDictionary && pieces.outs.length > 1;
  if (hasDictionary) writeCodes(pieces, distinct, codes);
  else writeLists(pieces, texts, true, repeats ? distinct.count : undefined);
  return { distinct, codes, isShared };
}

function writeCodes({ outs, ends, shared }: TextPieces, distinct: ByteTable, codes: Float64Array): void {
  const isShared = outs.length > 1;
  if (isShared) encodeTextList(shared, tableTexts(distinct), distinct.count, true);
  let from = 0;
  outs.forEach((out, piece) => {
    const end = ends[piece]!;
    if (end === from && isShared) return;
    out.u8(isShared ? SHARED_DICTIONARY : DICTIONARY);
    if (!isShared) {
      out.varint(distinct.count);
      encodeTextList(out, tableTexts(distinct), distinct.count, true);
    }
    encodeNumbers(out, codes.subarray(from, end), end - from);
    from = end;
  });
}

/** `patternsMax`: the values repeat, and have at most so many patterns; else each piece takes its most compact form. */
function writeLists({ outs, ends }: TextPieces, texts: Texts, narrow: boolean, patternsMax?: number): void {
  const { bytes } = texts;
  let from = 0;
  outs.forEach((out, piece) => {
    const end = ends[piece]!;
    if (end === from && outs.length > 1) return;
    const own = outs.length === 1 ? texts : { bytes, a: texts.a.subarray(from, end), b: texts.b.subarray(from, end) };
    out.u8(LIST);
    const patterns = patternsMax === undefined ? undefined : TextPatterns.of(own, end - from, patternsMax);
    if (patterns === undefined) encodeTextList(out, own, end - from, narrow);
    else {
      out.u8(PATTERNS);
      patterns.write(out);
    }
    from = end;
  });
}

/** Slots for recently seen texts, by their offset. */
const RECENT = new Int32Array(4096);

/**
 * Interns texts[0, codes.length). In decoded columns equal values often share a place in the arena; these are
 * recognised without reading the text again (four in five on the shop workload).
 */
function internAll(table: ByteTable, texts: Texts, codes: Float64Array): void {
  const { bytes, a, b } = texts;
  RECENT.fill(-1);
  for (let i = 0; i < codes.length; i++) {
    const at = a[i]!;
    const size = b[i]!;
    const slot = Math.imul(at, 0x9e3779b1) >>> 20;
    const recent = RECENT[slot]!;
    if (recent >= 0 && a[recent] === at && b[recent] === size) codes[i] = codes[recent]!;
    else {
      codes[i] = table.intern(bytes, at, at + size);
      RECENT[slot] = i;
    }
  }
}

/** Up to this size a code is one byte, which hardly any form beats. */
const SMALL_DICTIONARY = 256;

/**
 * Whether patterns of the values are smaller than the distinct values and their codes: for addresses of one network a
 * pattern may take two bytes a value, as does a code for a thousand of them.
 */
function arePatternsCheaper(table: ByteTable, codes: Float64Array): boolean {
  if (table.count <= SMALL_DICTIONARY) return false;
  const entries = TextPatterns.of(tableTexts(table), table.count, Math.floor(table.count / PATTERN_TEXTS_MIN));
  if (entries === undefined) return false;
  const codeBytes = (entropyBits(codes, table.count) * codes.length) / 8;
  const { estimatedBytes } = entries;
  return (estimatedBytes * codes.length) / table.count <= estimatedBytes + codeBytes;
}

/** Average bits of a code, if each code is weighted by its frequency (entropy). */
function entropyBits(codes: Float64Array, distinct: number): number {
  const counts = new Uint32Array(distinct);
  for (let i = 0; i < codes.length; i++) counts[codes[i]!]!++;
  let sum = 0;
  for (const count of counts) sum += count * Math.log2(codes.length / count);
  return sum / codes.length;
}

/** Reused from call to call to save memory allocations. Empty between calls. */
const sharedTable = new ByteTable();

/** The entries of a table as texts, in scratch memory. */
export function tableTexts(table: ByteTable): Texts {
  const a = scratch.uint32(table.count);
  const b = scratch.uint32(table.count);
  for (let id = 0; id < table.count; id++) {
    a[id] = table.start(id);
    b[id] = table.end(id) - a[id]!;
  }
  return { bytes: table.arena, a, b };
}

/** A decoded text column: value i is entry codes[i] of the list, or entry i if there are no codes. */
export interface TextColumn {
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  readonly codes: Float64Array | undefined;
  /** The list itself, if the pieces of the column share it: its text is there. undefined: the text is in the arena. */
  readonly shared?: Texts;
}

/**
 * Reads a piece of a column, `count` strings; appends the text to `arena`, each distinct value of a dictionary once.
 * `shared` returns the distinct values that the pieces share, if there are any.
 */
export function decodeTextColumn(
  reader: ByteReader,
  count: number,
  arena: Arena,
  shared: () => Texts | undefined = () => undefined,
): TextColumn {
  const encoding = reader.u8();
  if (encoding === LIST) return { ...decodeTextList(reader, count, arena), codes: undefined };
  if (encoding === SHARED_DICTIONARY) {
    const list = shared();
    if (list === undefined) throw new StoreError('CORRUPTION', 'a text column without its distinct values');
    return { a: list.a, b: list.b, shared: list, codes: readCodes(reader, count, list.a.length) };
  }
  if (encoding !== DICTIONARY) throw new StoreError('CORRUPTION', `unknown text column encoding ${encoding}`);
  const distinct = reader.varint();
  if (distinct > count) throw new StoreError('CORRUPTION', `a dictionary of ${distinct} for ${count} values`);
  const list = decodeTextList(reader, distinct, arena);
  return { ...list, codes: readCodes(reader, count, distinct) };
}

/** The codes of a text column: indexes into `distinct` texts. */
export function readCodes(reader: ByteReader, count: number, distinct: number): Float64Array {
  const codes = decodeNumbers(reader, count);
  for (let i = 0; i < count; i++) {
    checkCode(codes[i]!, distinct);
  }
  return codes;
}

/** Throws CORRUPTION unless a dictionary of `distinct` texts has text `code`. */
export function checkCode(code: number, distinct: number): void {
  // >>> 0 changes every value that is not a uint32: negative, fraction, NaN.
  if (!(code < distinct) || code >>> 0 !== code)
    throw new StoreError('CORRUPTION', `dictionary code ${code} of ${distinct}`);
}
