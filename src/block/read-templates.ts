// Reads the templates of a section; the mirror of encode-templates.ts.
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import * as T from '../trace/templates.ts';
import { SECTION_EVENTS, SECTION_SPANS } from './block-columns.ts';
import { OPERATION_INTS, OUTCOME_INTS, templateOrder } from './encode-templates.ts';

/** A field of a stored template. Ids are block-local. */
export interface StoredField {
  /** templates.ts code, key in local numbering. */
  readonly field: number;
  readonly isConstant: boolean;
  /** Constant field: its words (for arena types, an index into the section's constants). Otherwise 0. */
  readonly a: number;
  readonly b: number;
  /** Other fields: a number of the field's column, below the count of the section's distinct fields. Otherwise 0. */
  readonly column: number;
}

export interface StoredTemplate {
  /** Head ints, ids local. */
  readonly head: Int32Array;
  readonly fields: readonly StoredField[];
}

/** Bounds the fields of all templates of a block. A field took at least two bytes of a request (block-reader.ts). */
const FIELDS_MAX: number = 1 << 27;

/** Reads the templates of a section, `count` of them. Throws CORRUPTION. */
export function readTemplates(reader: ByteReader, section: number, count: number): StoredTemplate[] {
  const heads = readHeads(reader, section, count);
  const counts = readIndexes(reader, count, FIELDS_MAX);
  const scopes = section === SECTION_SPANS ? heads.map((head) => head[T.SPAN_SCOPE]!) : [];
  const { fields, ranks } = readFields(reader, counts, scopes);
  const constants = readConstants(reader, fields);
  let at = 0;
  return heads.map((head, id) => {
    const stored: StoredField[] = [];
    for (const end = at + counts[id]!; at < end; at++) {
      const isConstant = (fields[at]! & 1) === 1;
      const column = isConstant ? 0 : ranks[at]!;
      stored.push({ field: fields[at]! >>> 1, isConstant, a: constants.a[at]!, b: constants.b[at]!, column });
    }
    return { head, fields: stored };
  });
}

/** The heads alone. Throws CORRUPTION. */
export function readTemplateHeads(reader: ByteReader, section: number, count: number): Int32Array[] {
  return readHeads(reader, section, count);
}

function readHeads(reader: ByteReader, section: number, count: number): Int32Array[] {
  if (section !== SECTION_SPANS) {
    const ints = Array.from({ length: section === SECTION_EVENTS ? T.EVENT_HEAD : T.LINK_HEAD }, () =>
      readInts(reader, count),
    );
    return Array.from({ length: count }, (_, id) => Int32Array.from(ints, (column) => column[id]!));
  }
  const operationCount = reader.varint();
  if (operationCount > count) throw new StoreError('CORRUPTION', `${operationCount} operations of ${count} templates`);
  const operations = OPERATION_INTS.map(() => readInts(reader, operationCount));
  const codes = readIndexes(reader, count, operationCount);
  const outcomes = OUTCOME_INTS.map(() => readInts(reader, count));
  return Array.from({ length: count }, (_, id) => {
    const head = new Int32Array(T.SPAN_HEAD);
    OPERATION_INTS.forEach((int, i) => (head[int] = operations[i]![codes[id]!]!));
    OUTCOME_INTS.forEach((int, i) => (head[int] = outcomes[i]![id]!));
    return head;
  });
}

interface TemplateFields {
  /** 2 × field + (1 if constant) for every field, template by template. */
  readonly fields: Uint32Array;
  /** The number of each of them among the distinct ones. */
  readonly ranks: Uint32Array;
}

function readFields(reader: ByteReader, counts: Float64Array, scopes: readonly number[]): TemplateFields {
  const starts = new Float64Array(counts.length + 1);
  for (let id = 0; id < counts.length; id++) starts[id + 1] = starts[id]! + counts[id]!;
  const total = starts[counts.length]!;
  if (total > FIELDS_MAX) throw new StoreError('CORRUPTION', `${total} fields in the templates of a block`);
  const distinct = reader.varint();
  if (distinct > total) throw new StoreError('CORRUPTION', `${distinct} different fields among ${total}`);
  const known = readIndexes(reader, distinct, 2 ** 32);
  const ordered = readIndexes(reader, total, distinct);
  const fields = new Uint32Array(total);
  const ranks = new Uint32Array(total);
  let from = 0;
  for (const id of templateOrder(scopes, counts.length)) {
    for (let at = starts[id]!; at < starts[id + 1]!; at++) {
      const rank = ordered[from++]!;
      ranks[at] = rank;
      fields[at] = known[rank]!;
    }
  }
  return { fields, ranks };
}

/** The words of the constant fields, by field. */
function readConstants(reader: ByteReader, fields: Uint32Array): { a: Uint32Array; b: Uint32Array } {
  const a = new Uint32Array(fields.length);
  const b = new Uint32Array(fields.length);
  const chosen = (isChosen: (type: number) => boolean): number[] => {
    const found: number[] = [];
    for (let at = 0; at < fields.length; at++) {
      if ((fields[at]! & 1) === 1 && isChosen(T.fieldType(fields[at]! >>> 1))) found.push(at);
    }
    return found;
  };
  const texts = chosen(T.isArenaType);
  const indexes = readIndexes(reader, texts.length, 2 ** 32);
  texts.forEach((at, i) => (a[at] = indexes[i]!));
  for (const at of chosen((type) => type === T.TYPE_BOOL)) a[at] = reader.u8();
  for (const at of chosen((type) => type === T.TYPE_INT || type === T.TYPE_DOUBLE)) {
    a[at] = reader.u32();
    b[at] = reader.u32();
  }
  return { a, b };
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
