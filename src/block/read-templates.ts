// Reads the templates of a section; the mirror of encode-templates.ts.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import * as T from '../trace/templates.ts';
import { SECTION_EVENTS, SECTION_SPANS } from './block-columns.ts';
import { OPERATION_INTS, OUTCOME_INTS, templateOrder } from './encode-templates.ts';

/** The heads of the templates of a section, ids block-local. */
export class StoredHeads {
  readonly count: number;
  /** Ints of one head. */
  readonly size: number;
  /** Template by template. */
  readonly ints: Int32Array;

  constructor({ count, size, ints }: Pick<StoredHeads, 'count' | 'size' | 'ints'>) {
    assert(ints.length === count * size, 'heads of templates that do not fit their number');
    this.count = count;
    this.size = size;
    this.ints = ints;
  }

  /** Int number `int` (templates.ts) of the head of template `id`. */
  head(id: number, int: number): number {
    return this.ints[id * this.size + int]!;
  }
}

/** What is stored of the fields of templates, template by template. */
interface StoredFields {
  /** The first field of each template, then their number. */
  readonly starts: Uint32Array;
  /** 2 × (templates.ts code, key in local numbering) + (1 if constant). */
  readonly codes: Uint32Array;
  /** The number of each among the distinct ones. */
  readonly ranks: Uint32Array;
  /** Constant field: its words (for arena types, `a` is an index into the section's constants). Otherwise 0. */
  readonly a: Uint32Array;
  readonly b: Uint32Array;
}

/**
 * The templates of a section. Arrays, because a block has some thousand fields: an object for each was half of all that reading
 * a trace allocated. A field is known by its place `at`: those of template `id` are at starts[id] … starts[id + 1] - 1.
 */
export class StoredTemplates extends StoredHeads {
  readonly starts: Uint32Array;
  readonly #fields: StoredFields;

  constructor(heads: StoredHeads, fields: StoredFields) {
    super(heads);
    assert(fields.starts.length === heads.count + 1, 'fields of other templates');
    this.starts = fields.starts;
    this.#fields = fields;
  }

  /** templates.ts code, key in local numbering. */
  field(at: number): number {
    return this.#fields.codes[at]! >>> 1;
  }

  isConstant(at: number): boolean {
    return (this.#fields.codes[at]! & 1) === 1;
  }

  /** Constant field: its words (for arena types, an index into the section's constants). Otherwise 0. */
  a(at: number): number {
    return this.#fields.a[at]!;
  }

  b(at: number): number {
    return this.#fields.b[at]!;
  }

  /** A number of the field's column, below the count of the section's distinct fields. */
  column(at: number): number {
    return this.#fields.ranks[at]!;
  }

  /** The places of the fields of template `id` that `test` accepts, in their order. */
  fieldsOf(id: number, test: (field: number) => boolean): number[] {
    const found: number[] = [];
    for (let at = this.starts[id]!; at < this.starts[id + 1]!; at++) if (test(this.field(at))) found.push(at);
    return found;
  }

  /** Whether any template has a field that `test` accepts. */
  some(test: (field: number, at: number) => boolean): boolean {
    const { codes } = this.#fields;
    for (let at = 0; at < codes.length; at++) if (test(codes[at]! >>> 1, at)) return true;
    return false;
  }

  /** Memory that it takes. */
  get sizeBytes(): number {
    return 4 * (this.ints.length + this.starts.length) + 16 * this.#fields.codes.length;
  }
}

const NONE = new Uint32Array(0);

export const NO_TEMPLATES: StoredTemplates = new StoredTemplates(
  new StoredHeads({ count: 0, size: 0, ints: new Int32Array(0) }),
  { starts: new Uint32Array(1), codes: NONE, ranks: NONE, a: NONE, b: NONE },
);

/** Bounds the fields of all templates of a block. A field took at least two bytes of a request (block-reader.ts). */
const FIELDS_MAX: number = 1 << 27;

/** Reads the templates of a section, `count` of them. Throws CORRUPTION. */
export function readTemplates(reader: ByteReader, section: number, count: number): StoredTemplates {
  const heads = readTemplateHeads(reader, section, count);
  const counts = readIndexes(reader, count, FIELDS_MAX);
  const placed = readFields(reader, counts, section === SECTION_SPANS ? scopesOf(heads) : []);
  return new StoredTemplates(heads, { ...placed, ...readConstants(reader, placed.codes) });
}

function scopesOf(heads: StoredHeads): number[] {
  return Array.from({ length: heads.count }, (_, id) => heads.head(id, T.SPAN_SCOPE));
}

/** The heads alone. Throws CORRUPTION. */
export function readTemplateHeads(reader: ByteReader, section: number, count: number): StoredHeads {
  if (section !== SECTION_SPANS) {
    const size = section === SECTION_EVENTS ? T.EVENT_HEAD : T.LINK_HEAD;
    const ints = new Int32Array(size * count);
    for (let int = 0; int < size; int++) spread(readInts(reader, count), { ints, size, int });
    return new StoredHeads({ count, size, ints });
  }
  const size = T.SPAN_HEAD;
  const operationCount = reader.varint();
  if (operationCount > count) throw new StoreError('CORRUPTION', `${operationCount} operations of ${count} templates`);
  const operations = OPERATION_INTS.map(() => readInts(reader, operationCount));
  const codes = readIndexes(reader, count, operationCount);
  const ints = new Int32Array(size * count);
  OPERATION_INTS.forEach((int, i) => {
    const values = operations[i]!;
    for (let id = 0; id < count; id++) ints[id * size + int] = values[codes[id]!]!;
  });
  for (const int of OUTCOME_INTS) spread(readInts(reader, count), { ints, size, int });
  return new StoredHeads({ count, size, ints });
}

/** Sets int number `int` of each head. */
function spread(values: Int32Array, { ints, size, int }: { ints: Int32Array; size: number; int: number }): void {
  for (let id = 0; id < values.length; id++) ints[id * size + int] = values[id]!;
}

function readFields(
  reader: ByteReader,
  counts: Float64Array,
  scopes: readonly number[],
): Pick<StoredFields, 'starts' | 'codes' | 'ranks'> {
  let total = 0;
  for (let id = 0; id < counts.length; id++) total += counts[id]!;
  if (total > FIELDS_MAX) throw new StoreError('CORRUPTION', `${total} fields in the templates of a block`);
  const starts = new Uint32Array(counts.length + 1);
  for (let id = 0; id < counts.length; id++) starts[id + 1] = starts[id]! + counts[id]!;
  const distinct = reader.varint();
  if (distinct > total) throw new StoreError('CORRUPTION', `${distinct} different fields among ${total}`);
  const known = readIndexes(reader, distinct, 2 ** 32);
  const ordered = readIndexes(reader, total, distinct);
  const codes = new Uint32Array(total);
  const ranks = new Uint32Array(total);
  let from = 0;
  for (const id of templateOrder(scopes, counts.length)) {
    for (let at = starts[id]!; at < starts[id + 1]!; at++) {
      const rank = ordered[from++]!;
      ranks[at] = rank;
      codes[at] = known[rank]!;
    }
  }
  return { starts, codes, ranks };
}

/** The words of the constant fields, by field. */
function readConstants(reader: ByteReader, codes: Uint32Array): { a: Uint32Array; b: Uint32Array } {
  const a = new Uint32Array(codes.length);
  const b = new Uint32Array(codes.length);
  let texts = 0;
  eachConstant(codes, T.isArenaType, () => texts++);
  const indexes = readIndexes(reader, texts, 2 ** 32);
  let next = 0;
  eachConstant(codes, T.isArenaType, (at) => (a[at] = indexes[next++]!));
  eachConstant(
    codes,
    (type) => type === T.TYPE_BOOL,
    (at) => (a[at] = reader.u8()),
  );
  eachConstant(
    codes,
    (type) => type === T.TYPE_INT || type === T.TYPE_DOUBLE,
    (at) => {
      a[at] = reader.u32();
      b[at] = reader.u32();
    },
  );
  return { a, b };
}

function eachConstant(codes: Uint32Array, isChosen: (type: number) => boolean, visit: (at: number) => void): void {
  for (let at = 0; at < codes.length; at++)
    if ((codes[at]! & 1) === 1 && isChosen(T.fieldType(codes[at]! >>> 1))) visit(at);
}

/** A column of int32. */
function readInts(reader: ByteReader, count: number): Int32Array {
  const values = decodeNumbers(reader, count);
  const ints = Int32Array.from(values);
  for (let i = 0; i < count; i++) if (ints[i] !== values[i]) throw notA('32-bit number', values[i]!);
  return ints;
}

/** A column of whole numbers from 0 to `end` - 1. */
function readIndexes(reader: ByteReader, count: number, end: number): Float64Array {
  const values = decodeNumbers(reader, count);
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (!(value >= 0 && value < end) || value >>> 0 !== value) throw notA(`whole number below ${end}`, value);
  }
  return values;
}

function notA(what: string, value: number): StoreError {
  return new StoreError('CORRUPTION', `${value} in the templates is no ${what}`);
}
