// Collects a block's terms during encoding: each distinct value once, where the encoder has it at hand. terms.ts
// defines terms; query/query-terms.ts makes the same ones for a search.
import { assert } from '../base/assert.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { scratch } from '../bytes/scratch.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import type { LocalIds } from './local-ids.ts';
import * as Terms from './terms.ts';
import type { TermSet } from './terms.ts';

/**
 * Begins the terms of a field (local numbering) and adds the terms that do not depend on its value. Returns true when
 * the caller must add the values: text with addBytes, others with addWordTerm.
 */
function beginFieldTerms(terms: TermSet, field: number, ids: LocalIds): boolean {
  const type = T.fieldType(field);
  if (T.isIntrinsic(field)) {
    const isAsked = T.fieldId(field) === T.FIELD_STATUS_MESSAGE || T.fieldId(field) === T.FIELD_TRACE_STATE;
    if (isAsked) terms.begin(Terms.TERM_INTRINSIC + T.fieldId(field));
    return isAsked;
  }
  const key = ids.strings.bytes(T.fieldId(field));
  if (type === T.TYPE_STRING) terms.begin(Terms.TERM_TEXT, key);
  else if (type === T.TYPE_BOOL || type === T.TYPE_INT || type === T.TYPE_DOUBLE) {
    terms.begin(Terms.TERM_WORDS + type, key);
  } else {
    terms.begin(type === T.TYPE_BYTES || type === T.TYPE_RAW ? Terms.TERM_PRINTED : Terms.TERM_EMPTY, key);
    terms.add();
    return false;
  }
  return true;
}

/** Adds a bool, int or double of the current field; with `operation`, as a value of that operation's spans. */
function addWordTerm(terms: TermSet, words: { type: number; a: number; b: number }, operation?: Uint8Array): void {
  const { type, a, b } = words;
  if (type === T.TYPE_DOUBLE && Terms.isNaNWords(a, b)) terms.addWords(0, Terms.NAN_HIGH_WORD, operation);
  else terms.addWords(a, b, operation);
}

export interface ConstantValue {
  /** In local numbering. */
  readonly field: number;
  readonly a: number;
  readonly b: number;
  readonly arena: Uint8Array;
  /** The operation whose spans have the value; undefined for values of events and links. */
  readonly operation: Uint8Array | undefined;
}

/** Adds the value that all rows of a template share. */
export function addConstantTerm(terms: TermSet, { field, a, b, arena, ...value }: ConstantValue, ids: LocalIds): void {
  if (!beginFieldTerms(terms, field, ids)) return;
  // A search for a status message or trace state does not depend on the operation.
  const of = T.isIntrinsic(field) ? undefined : value.operation;
  const type = T.fieldType(field);
  for (const operation of of === undefined ? [undefined] : [of, Terms.SOME_OPERATION]) {
    if (type === T.TYPE_STRING) terms.addBytes(arena, a, a + b, operation);
    else addWordTerm(terms, { type, a, b }, operation);
  }
  if (type === T.TYPE_STRING) terms.markBytes(arena, a, a + b);
  else terms.markWords(a, b);
}

/** Consecutive values of a column whose spans have the same operation (operationKey); equal keys are one object. */
export interface OperationRun {
  readonly operation: Uint8Array;
  readonly count: number;
}

export interface ColumnValues {
  /** In local numbering. */
  readonly field: number;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  /** undefined: values of events or links. */
  readonly operations: readonly OperationRun[] | undefined;
  /** For a text column: its distinct values, and the index of each row's value among them. */
  readonly distinct?: ByteTable;
  readonly codes?: ArrayLike<number>;
}

/**
 * A value in at least this many rows of a block is likely to be in every block, so it gets one term per operation that
 * has it. A rarer value tells blocks apart by itself, and per-operation terms of identifiers would cost most.
 */
const COMMON_ROWS_MIN = 16;

/**
 * A value that more operations of a block have gets one term without operation: per-operation terms would cost more
 * space than they save reads. If every span has its own name, they would be 16,384 terms a value.
 */
const OPERATIONS_MAX = 1_024;

export function addColumnTerms(terms: TermSet, column: ColumnValues, ids: LocalIds): void {
  const { field } = column;
  if (!beginFieldTerms(terms, field, ids)) return;
  const { distinct, codes } = distinctOf(column);
  const operations = T.isIntrinsic(field) ? undefined : column.operations;
  const values = new DistinctValues(terms, T.fieldType(field), distinct);
  if (operations === undefined) {
    for (let id = 0; id < distinct.count; id++) values.add(id);
    return;
  }
  const rows = operations.reduce((sum, run) => sum + run.count, 0);
  assert(rows === column.a.length, 'operations of other rows than a column has');
  const spread = new Spread(distinct.count, operations, codes);
  for (let id = 0; id < distinct.count; id++) {
    const isRare = spread.rows[id]! < COMMON_ROWS_MIN && !values.isConstant(id);
    if (isRare || spread.operationCount(id) > OPERATIONS_MAX) {
      values.add(id);
      continue;
    }
    values.add(id, Terms.SOME_OPERATION);
    for (const operation of spread.operationsOf(id)) values.add(id, operation);
  }
}

/** The distinct values of the current field: texts, or the two words of each number. */
class DistinctValues {
  readonly #terms: TermSet;
  readonly #type: number;
  readonly #distinct: ByteTable;

  constructor(terms: TermSet, type: number, distinct: ByteTable) {
    this.#terms = terms;
    this.#type = type;
    this.#distinct = distinct;
  }

  add(id: number, operation?: Uint8Array): void {
    const { arena } = this.#distinct;
    const start = this.#distinct.start(id);
    if (this.#type === T.TYPE_STRING) this.#terms.addBytes(arena, start, this.#distinct.end(id), operation);
    else addWordTerm(this.#terms, { type: this.#type, ...wordsAt(arena, start) }, operation);
  }

  /** True when a template has the value as a constant. The value is then common, even if rare in this column. */
  isConstant(id: number): boolean {
    const { arena } = this.#distinct;
    const start = this.#distinct.start(id);
    if (this.#type === T.TYPE_STRING) return this.#terms.hasMarkedBytes(arena, start, this.#distinct.end(id));
    const { a, b } = wordsAt(arena, start);
    return this.#terms.hasMarkedWords(a, b);
  }
}

/** Stores the two words of a number as a text of eight bytes. */
const sharedWords = new ByteTable();

function distinctOf({ a, b, distinct, codes }: ColumnValues): { distinct: ByteTable; codes: ArrayLike<number> } {
  if (distinct !== undefined && codes !== undefined) return { distinct, codes };
  sharedWords.clear();
  const words = new Uint32Array(2);
  const bytes = new Uint8Array(words.buffer);
  const wordCodes = scratch.uint32(a.length);
  for (let i = 0; i < a.length; i++) {
    words[0] = a[i]!;
    words[1] = b[i]!;
    const isSame = i > 0 && a[i] === a[i - 1] && b[i] === b[i - 1];
    wordCodes[i] = isSame ? wordCodes[i - 1]! : sharedWords.intern(bytes, 0, 8);
  }
  return { distinct: sharedWords, codes: wordCodes };
}

function wordsAt(bytes: Uint8Array, at: number): { a: number; b: number } {
  return { a: wordAt(bytes, at), b: wordAt(bytes, at + 4) };
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** For each distinct value of a column: the operations that have it, and its number of rows. In scratch memory. */
class Spread {
  /** Rows of each value. */
  readonly rows: Uint32Array;
  /** For values that several operations have: all their operations. */
  readonly #more = new Map<number, Set<Uint8Array>>();
  /** The index of the first operation of each value, plus 1. */
  readonly #first: Uint32Array;
  readonly #operations: Uint8Array[] = [];

  constructor(distinct: number, runs: readonly OperationRun[], codes: ArrayLike<number>) {
    this.rows = scratch.uint32(distinct).fill(0);
    this.#first = scratch.uint32(distinct).fill(0);
    const numbers = new Map<Uint8Array, number>();
    const first = this.#first;
    let at = 0;
    for (const { operation, count } of runs) {
      let number = numbers.get(operation);
      if (number === undefined) numbers.set(operation, (number = this.#operations.push(operation)));
      for (const end = at + count; at < end; at++) {
        const value = codes[at]!;
        this.rows[value]!++;
        if (first[value] === 0) first[value] = number;
        else if (first[value] !== number) this.#addMore(value, operation);
      }
    }
  }

  #addMore(value: number, operation: Uint8Array): void {
    let more = this.#more.get(value);
    if (more === undefined) this.#more.set(value, (more = new Set([this.#firstOf(value)])));
    more.add(operation);
  }

  operationCount(value: number): number {
    return this.#more.get(value)?.size ?? 1;
  }

  operationsOf(value: number): Iterable<Uint8Array> {
    return this.#more.get(value) ?? [this.#firstOf(value)];
  }

  #firstOf(value: number): Uint8Array {
    return this.#operations[this.#first[value]! - 1]!;
  }
}

/** Adds the names of the event templates in use. */
export function addEventTerms(terms: TermSet, batch: SpanBatch, templates: Int32Array): void {
  const { eventTemplates, strings } = batch;
  terms.begin(Terms.TERM_EVENT_NAME);
  for (const template of templates) {
    const name = strings.bytes(eventTemplates.ints[eventTemplates.start(template) + T.EVENT_NAME]!);
    terms.addBytes(name, 0, name.length);
  }
}
