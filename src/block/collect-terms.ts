// Collects a block's terms while it is encoded: each distinct value once, where the encoder has it in hand anyway.
// terms.ts says what a term is; query/query-terms.ts asks for the same ones.
import type { ByteTable } from '../bytes/byte-table.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import type { LocalIds } from './local-ids.ts';
import * as Terms from './terms.ts';
import type { TermSet } from './terms.ts';

/**
 * Begins the terms of a field (local numbering) and adds those that do not depend on its value. True when the values
 * follow: of text fields by addBytes, of the others by addWordTerm.
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

/** Adds a bool, int or double of the field begun; with `service`, as a value of its spans. */
function addWordTerm(terms: TermSet, words: { type: number; a: number; b: number }, service?: Uint8Array): void {
  const { type, a, b } = words;
  if (type === T.TYPE_DOUBLE && Terms.isNaNWords(a, b)) terms.addWords(0, Terms.NAN_HIGH_WORD, service);
  else terms.addWords(a, b, service);
}

export interface ConstantValue {
  /** In local numbering. */
  readonly field: number;
  readonly a: number;
  readonly b: number;
  readonly arena: Uint8Array;
  /** Whose spans have it; undefined: events or links. */
  readonly service: Uint8Array | undefined;
}

/** Adds the value that all rows of a template share. */
export function addConstantTerm(terms: TermSet, { field, a, b, arena, service }: ConstantValue, ids: LocalIds): void {
  if (!beginFieldTerms(terms, field, ids)) return;
  // What is asked of a status message or trace state is asked of any service.
  const of = T.isIntrinsic(field) ? undefined : service;
  const type = T.fieldType(field);
  if (type === T.TYPE_STRING) terms.addBytes(arena, a, a + b, of);
  else addWordTerm(terms, { type, a, b }, of);
}

export interface ColumnValues {
  /** In local numbering. */
  readonly field: number;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  readonly count: number;
  /** The distinct values of a text column. */
  readonly distinct: ByteTable | undefined;
}

/** Adds the values of one column. */
export function addColumnTerms(terms: TermSet, column: ColumnValues, ids: LocalIds): void {
  if (!beginFieldTerms(terms, column.field, ids)) return;
  const { a, b, count, distinct } = column;
  if (distinct !== undefined) {
    for (let id = 0; id < distinct.count; id++) terms.addBytes(distinct.arena, distinct.start(id), distinct.end(id));
    return;
  }
  const type = T.fieldType(column.field);
  for (let i = 0; i < count; i++) {
    if (i === 0 || a[i] !== a[i - 1] || b[i] !== b[i - 1]) addWordTerm(terms, { type, a: a[i]!, b: b[i]! });
  }
}

/** Adds the names of the event templates used. */
export function addEventTerms(terms: TermSet, batch: SpanBatch, templates: Int32Array): void {
  const { eventTemplates, strings } = batch;
  terms.begin(Terms.TERM_EVENT_NAME);
  for (const template of templates) {
    const name = strings.bytes(eventTemplates.ints[eventTemplates.start(template) + T.EVENT_NAME]!);
    terms.addBytes(name, 0, name.length);
  }
}
