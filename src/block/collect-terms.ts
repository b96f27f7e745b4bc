// Collects a block's terms while it is encoded: each distinct value once, where the encoder has it in hand anyway.
// terms.ts says what a term is; query/query-terms.ts asks for the same ones.
import { isUtf8 } from 'node:buffer';
import type { ByteTable } from '../bytes/byte-table.ts';
import { WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';
import { serviceName, operationName } from '../otlp/service-name.ts';
import { parseDescriptor } from '../otlp/write-spans.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import type { LocalIds } from './local-ids.ts';
import * as Terms from './terms.ts';
import type { TermSet } from './terms.ts';

/**
 * Begins the terms of a field (local numbering) and adds those that do not depend on its value. True when the values
 * follow: of text fields by addBytes, of the others by addWordTerm.
 */
export function beginFieldTerms(terms: TermSet, field: number, ids: LocalIds): boolean {
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

/** Adds a bool, int or double of the field begun. */
export function addWordTerm(terms: TermSet, type: number, a: number, b: number): void {
  if (type === T.TYPE_DOUBLE && Terms.isNaNWords(a, b)) terms.addWords(0, Terms.NAN_HIGH_WORD);
  else terms.addWords(a, b);
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
    if (i === 0 || a[i] !== a[i - 1] || b[i] !== b[i - 1]) addWordTerm(terms, type, a[i]!, b[i]!);
  }
}

/** Adds names, kinds, statuses, and what stands in resources and scopes, of the span templates used. */
export function addSpanTerms(terms: TermSet, batch: SpanBatch, templates: Int32Array): void {
  const { ints } = batch.spanTemplates;
  const resources = new Set<number>();
  const scopes = new Set<number>();
  for (const template of templates) {
    const head = batch.spanTemplates.start(template);
    resources.add(ints[head + T.SPAN_RESOURCE]!);
    scopes.add(ints[head + T.SPAN_SCOPE]!);
    terms.begin(Terms.TERM_OPERATION);
    // As it is listed: an empty name has one there, and bytes that are no UTF-8 are replaced.
    terms.addBytes(Buffer.from(operationName(batch.strings.text(ints[head + T.SPAN_NAME]!))));
    terms.begin(Terms.TERM_KIND);
    terms.addWords(ints[head + T.SPAN_KIND]!, 0);
    terms.begin(Terms.TERM_STATUS);
    terms.addWords(ints[head + T.SPAN_STATUS]!, 0);
  }
  for (const id of resources) {
    const { message } = parseDescriptor(batch.resources.bytes(id));
    terms.begin(Terms.TERM_SERVICE);
    terms.addBytes(Buffer.from(serviceName(message)));
    addAttributeTerms(terms, message, 1);
  }
  for (const id of scopes) {
    const { message } = parseDescriptor(batch.scopes.bytes(id));
    addScopeTexts(terms, message);
    addAttributeTerms(terms, message, 3);
  }
}

/** Adds the names of the event templates used. */
export function addEventTerms(terms: TermSet, batch: SpanBatch, templates: Int32Array): void {
  const { eventTemplates, strings } = batch;
  terms.begin(Terms.TERM_EVENT_NAME);
  for (const template of templates) {
    terms.addBytes(strings.bytes(eventTemplates.ints[eventTemplates.start(template) + T.EVENT_NAME]!));
  }
}

function addScopeTexts(terms: TermSet, message: Uint8Array): void {
  const reader = new WireReader(message);
  while (reader.next()) {
    if (reader.field > 2 || reader.wire !== WIRE_BYTES) continue;
    terms.begin(Terms.TERM_SCOPE_TEXT + reader.field);
    terms.addBytes(message, reader.valueStart, reader.valueEnd);
  }
}

/** Attributes of resources and scopes are compared as printed, so one term says the key is there with some other type. */
function addAttributeTerms(terms: TermSet, message: Uint8Array, field: number): void {
  const reader = new WireReader(message);
  const attribute = new WireReader(message);
  while (reader.next()) {
    if (reader.field !== field) continue;
    attribute.reset(reader.valueStart, reader.valueEnd);
    let key = new Uint8Array(0);
    let valueStart = 0;
    let valueEnd = 0;
    while (attribute.next()) {
      if (attribute.field === 1) key = attribute.value() as Uint8Array<ArrayBuffer>;
      else if (attribute.field === 2) ({ valueStart, valueEnd } = attribute);
    }
    attribute.reset(valueStart, valueEnd);
    const isOneText = attribute.next() && attribute.field === 1 && attribute.pos === valueEnd;
    // Text that is no UTF-8 is printed as base64.
    if (isOneText && isUtf8(attribute.value())) {
      terms.begin(Terms.TERM_TEXT, key);
      terms.addBytes(message, attribute.valueStart, attribute.valueEnd);
    } else {
      terms.begin(valueEnd === valueStart ? Terms.TERM_EMPTY : Terms.TERM_PRINTED, key);
      terms.add();
    }
  }
}
