// Reads single texts of a stored text list without printing the others: one trace needs a dozen of some thousand texts.
// Reads what texts.ts and text-patterns.ts write; which texts a list has is the same as decodeTextList says.
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { decodeNumbers, openNumbers, type PickableNumbers } from './numbers.ts';
import { decimalDigits, printDigits, printHex, printUuid } from './text-forms.ts';
import { openPatterns, type OpenPatterns } from './text-patterns.ts';
import {
  DECIMAL,
  DICTIONARY,
  HEX,
  LIST,
  offsetsOf,
  PATTERNS,
  PLAIN,
  RANDOM_UUID,
  checkCode,
  SHARED_DICTIONARY,
  UUID,
  type Arena,
} from './texts.ts';

/** A stored list, opened; `print` appends text `index` to an arena. */
export interface PickableTexts {
  readonly count: number;
  /** Appends text `index`, which the list has; returns its offset. Its size is then in `size`. Throws CORRUPTION. */
  print(index: number, arena: Arena): number;
  readonly size: number;
}

/** Opens a list of `count` strings. Throws CORRUPTION. */
export function openTextList(reader: ByteReader, count: number): PickableTexts {
  const form = reader.u8();
  switch (form) {
    case PLAIN: {
      const { a, b, total } = offsetsOf(decodeNumbers(reader, count), reader.left);
      return new StoredBytes({ bytes: reader.view(total), a, b, isHex: false });
    }
    case HEX: {
      const lengths = decodeNumbers(reader, count);
      for (let i = 0; i < count; i++) lengths[i] = lengths[i]! / 2;
      const { a, b, total } = offsetsOf(lengths, reader.left);
      return new StoredBytes({ bytes: reader.view(total), a, b, isHex: true });
    }
    case UUID:
      return new StoredUuids(reader.view(16 * count), undefined, count);
    case RANDOM_UUID: {
      const packed = reader.view(15 * count);
      return new StoredUuids(packed, reader.view(Math.ceil(count / 4)), count);
    }
    case DECIMAL:
      return new StoredDecimals(openNumbers(reader, count));
    case PATTERNS:
      return new StoredPatterns(openPatterns(reader, count));
    default:
      throw new StoreError('CORRUPTION', `unknown text form ${form}`);
  }
}

/** A stored text column, opened. */
export class PickableColumn {
  readonly texts: PickableTexts;
  /** Value i is text number codes[i]; without codes, text i. */
  readonly #codes: PickableNumbers | undefined;

  constructor(texts: PickableTexts, codes?: PickableNumbers) {
    this.texts = texts;
    this.#codes = codes;
  }

  get count(): number {
    return (this.#codes ?? this.texts).count;
  }

  /** As PickableTexts.print, value `index`, which the column has. Throws CORRUPTION. */
  print(index: number, arena: Arena): number {
    if (this.#codes === undefined) return this.texts.print(index, arena);
    const code = this.#codes.at(index);
    checkCode(code, this.texts.count);
    return this.texts.print(code, arena);
  }

  get size(): number {
    return this.texts.size;
  }
}

/** Opens a piece of a column, `count` strings; as decodeTextColumn. Throws CORRUPTION. */
export function openTextColumn(
  reader: ByteReader,
  count: number,
  shared: () => PickableTexts | undefined = () => undefined,
): PickableColumn {
  const encoding = reader.u8();
  if (encoding === LIST) return new PickableColumn(openTextList(reader, count));
  if (encoding === SHARED_DICTIONARY) {
    const texts = shared();
    if (texts === undefined) throw new StoreError('CORRUPTION', 'a text column without its distinct values');
    return new PickableColumn(texts, openNumbers(reader, count));
  }
  if (encoding !== DICTIONARY) throw new StoreError('CORRUPTION', `unknown text column encoding ${encoding}`);
  const distinct = reader.varint();
  if (distinct > count) throw new StoreError('CORRUPTION', `a dictionary of ${distinct} for ${count} values`);
  return new PickableColumn(openTextList(reader, distinct), openNumbers(reader, count));
}

class StoredBytes implements PickableTexts {
  size = 0;
  readonly #bytes: Uint8Array;
  readonly #a: Uint32Array;
  readonly #b: Uint32Array;
  readonly #isHex: boolean;

  constructor(list: { bytes: Uint8Array; a: Uint32Array; b: Uint32Array; isHex: boolean }) {
    this.#bytes = list.bytes;
    this.#a = list.a;
    this.#b = list.b;
    this.#isHex = list.isHex;
  }

  get count(): number {
    return this.#a.length;
  }

  print(index: number, arena: Arena): number {
    const start = this.#a[index]!;
    const end = start + this.#b[index]!;
    if (!this.#isHex) {
      this.size = end - start;
      return arena.appendArena(this.#bytes, start, end);
    }
    this.size = 2 * (end - start);
    const text = scratchOf(this.size);
    for (let at = start, to = 0; at < end; at++) to = printHex(text, to, this.#bytes[at]!);
    return arena.appendArena(text, 0, this.size);
  }
}

class StoredUuids implements PickableTexts {
  readonly count: number;
  readonly size = 36;
  readonly #bytes: Uint8Array;
  /** Of random UUIDs: the bits that their 15 bytes lack. */
  readonly #rest: Uint8Array | undefined;

  constructor(bytes: Uint8Array, rest: Uint8Array | undefined, count: number) {
    this.#bytes = bytes;
    this.#rest = rest;
    this.count = count;
  }

  print(index: number, arena: Arena): number {
    const text = scratchOf(36);
    if (this.#rest === undefined) printUuid(text, 0, this.#bytes, 16 * index);
    else printUuid(text, 0, unpackUuid(this.#bytes, this.#rest, index), 0);
    return arena.appendArena(text, 0, 36);
  }
}

const unpacked = new Uint8Array(16);

/** The 16 bytes of random UUID `index`, valid until the next call; the mirror of encodeUuids. */
function unpackUuid(packed: Uint8Array, rest: Uint8Array, index: number): Uint8Array {
  for (let byte = 0, from = 15 * index; byte < 16; byte++) if (byte !== 8) unpacked[byte] = packed[from++]!;
  const mixed = unpacked[6]!;
  unpacked[6] = 0x40 | (mixed >>> 4);
  unpacked[8] = 0x80 | ((mixed & 15) << 2) | ((rest[index >>> 2]! >>> (2 * (index & 3))) & 3);
  return unpacked;
}

class StoredDecimals implements PickableTexts {
  size = 0;
  readonly #values: PickableNumbers;

  constructor(values: PickableNumbers) {
    this.#values = values;
  }

  get count(): number {
    return this.#values.count;
  }

  print(index: number, arena: Arena): number {
    const value = this.#values.at(index);
    this.size = decimalDigits(value);
    const text = scratchOf(this.size);
    printDigits(text, 0, value, this.size);
    return arena.appendArena(text, 0, this.size);
  }
}

class StoredPatterns implements PickableTexts {
  size = 0;
  readonly #patterns: OpenPatterns;

  constructor(patterns: OpenPatterns) {
    this.#patterns = patterns;
  }

  get count(): number {
    return this.#patterns.count;
  }

  print(index: number, arena: Arena): number {
    const text = scratchOf(this.#patterns.textBytesMax(index));
    this.size = this.#patterns.printAt(index, text);
    return arena.appendArena(text, 0, this.size);
  }
}

let scratch = new Uint8Array(1 << 10);

/** Room for `sizeBytes`, valid until the next call. */
function scratchOf(sizeBytes: number): Uint8Array {
  if (sizeBytes > scratch.length) scratch = new Uint8Array(2 * sizeBytes);
  return scratch;
}
