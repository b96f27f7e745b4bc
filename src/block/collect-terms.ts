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

interface WordPair {
  readonly a: number;
  readonly b: number;
}

/** Adds a bool, int or double of the current field; with `operation`, as a value of that operation's spans. */
function addWordTerm(terms: TermSet, type: number, { a, b }: WordPair, operation?: Uint8Array): void {
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
  const words = { a, b };
  for (const operation of of === undefined ? [undefined] : [of, Terms.SOME_OPERATION]) {
    if (type === T.TYPE_STRING) terms.addBytes(arena, a, a + b, operation);
    else addWordTerm(terms, type, words, operation);
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
  /** For each row group of the block, the index after its last value. */
  readonly ends: readonly number[];
  /** undefined: values of events or links. Runs do not cross the end of a group. */
  readonly operations: readonly OperationRun[] | undefined;
  /** For a text column: its distinct values, and the index of each row's value among them. */
  readonly distinct?: ByteTable;
  readonly codes?: ArrayLike<number>;
}

/**
 * A value in at least this many rows of a block, or in two of its row groups, is likely to be in many blocks, so it gets
 * one term per operation that has it. A rarer value tells blocks apart by itself: it is an identifier of one trace, which
 * is in one group, and per-operation terms of identifiers would cost most.
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
  const spread = new Spread({ distinct: distinct.count, ends: column.ends, runs: operations, codes });
  for (let id = 0; id < distinct.count; id++) {
    const isCommon = spread.rows[id]! >= COMMON_ROWS_MIN || spread.isInSeveralGroups(id) || values.isConstant(id);
    if (!isCommon || spread.operationCount(id) > OPERATIONS_MAX) {
      values.add(id);
      continue;
    }
    values.add(id, Terms.SOME_OPERATION);
    spread.addOperations(id, values);
  }
}

/** The distinct values of the current field: texts, or the two words of each number. */
class DistinctValues {
  readonly #terms: TermSet;
  readonly #type: number;
  readonly #distinct: ByteTable;
  /** The words looked at last. */
  readonly #words = { a: 0, b: 0 };

  constructor(terms: TermSet, type: number, distinct: ByteTable) {
    this.#terms = terms;
    this.#type = type;
    this.#distinct = distinct;
  }

  add(id: number, operation?: Uint8Array): void {
    const { arena } = this.#distinct;
    const start = this.#distinct.start(id);
    if (this.#type === T.TYPE_STRING) this.#terms.addBytes(arena, start, this.#distinct.end(id), operation);
    else addWordTerm(this.#terms, this.#type, this.#wordsAt(start), operation);
  }

  #wordsAt(at: number): WordPair {
    const { arena } = this.#distinct;
    this.#words.a = wordAt(arena, at);
    this.#words.b = wordAt(arena, at + 4);
    return this.#words;
  }

  /** True when a template has the value as a constant. The value is then common, even if rare in this column. */
  isConstant(id: number): boolean {
    const { arena } = this.#distinct;
    const start = this.#distinct.start(id);
    if (this.#type === T.TYPE_STRING) return this.#terms.hasMarkedBytes(arena, start, this.#distinct.end(id));
    const { a, b } = this.#wordsAt(start);
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

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Above the number of a block's operations. With the values of a column, pairs stay small integers. */
const PAIR_FACTOR: number = 1 << 15;

interface ValueRows {
  /** Number of distinct values. */
  readonly distinct: number;
  readonly ends: readonly number[];
  readonly runs: readonly OperationRun[];
  /** The value of each row. */
  readonly codes: ArrayLike<number>;
}

/** A value is in rows of several groups. */
const SEVERAL = 0xffff_ffff;

/** For each distinct value of a column: the operations that have it, its rows and row groups. Partly in scratch memory. */
class Spread {
  /** Rows of each value. */
  readonly rows: Uint32Array;
  /** The group of each value's rows plus 1, or SEVERAL. */
  readonly #groups: Uint32Array;
  /** The last operation seen of each value (its number plus 1), and where it stands in the list of its others. */
  readonly #last: Uint32Array;
  /** Operations of each value. */
  readonly #counts: Uint32Array;
  /** For each value, its newest entry in the lists below plus 1. */
  readonly #newest: Uint32Array;
  /** An operation of a value (number plus 1), and the value's entry before it plus 1. */
  readonly #entries: number[] = [];
  /** Pairs of a value and an operation. */
  readonly #noted = new Set<number>();
  readonly #operations: Uint8Array[] = [];

  constructor({ distinct, ends, runs, codes }: ValueRows) {
    this.rows = scratch.uint32(distinct).fill(0);
    this.#groups = scratch.uint32(distinct).fill(0);
    this.#last = scratch.uint32(distinct).fill(0);
    this.#counts = scratch.uint32(distinct).fill(0);
    this.#newest = scratch.uint32(distinct).fill(0);
    const numbers = new Map<Uint8Array, number>();
    const last = this.#last;
    const groups = this.#groups;
    let group = 1;
    let at = 0;
    for (const { operation, count } of runs) {
      let number = numbers.get(operation);
      if (number === undefined) numbers.set(operation, (number = this.#operations.push(operation)));
      while (at >= ends[group - 1]!) group++;
      assert(at + count <= ends[group - 1]!, 'values of an operation across two groups');
      for (const end = at + count; at < end; at++) {
        const value = codes[at]!;
        this.rows[value]!++;
        if (groups[value] !== group) groups[value] = groups[value] === 0 ? group : SEVERAL;
        if (last[value] === number) continue;
        last[value] = number;
        this.#note(value, number);
      }
    }
  }

  /** Notes that the value has the operation, unless it is noted. */
  #note(value: number, number: number): void {
    const count = this.#counts[value]!;
    if (count > OPERATIONS_MAX) return;
    const entries = this.#entries;
    const newest = this.#newest[value]!;
    if (count > 0) {
      // Most values have one operation: only the others are in the set.
      if (count === 1) this.#noted.add(value * PAIR_FACTOR + entries[2 * newest - 2]!);
      const pair = value * PAIR_FACTOR + number;
      if (this.#noted.has(pair)) return;
      this.#noted.add(pair);
    }
    entries.push(number, newest);
    this.#newest[value] = entries.length / 2;
    this.#counts[value] = count + 1;
  }

  isInSeveralGroups(value: number): boolean {
    return this.#groups[value] === SEVERAL;
  }

  /** Exact up to OPERATIONS_MAX. */
  operationCount(value: number): number {
    return this.#counts[value]!;
  }

  /** Adds the value once with each of its operations, in order of first occurrence. */
  addOperations(value: number, values: DistinctValues): void {
    const found: Uint8Array[] = [];
    for (let entry = this.#newest[value]!; entry > 0; entry = this.#entries[2 * entry - 1]!)
      found.push(this.#operations[this.#entries[2 * entry - 2]! - 1]!);
    for (let i = found.length - 1; i >= 0; i--) values.add(value, found[i]!);
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
