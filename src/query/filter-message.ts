// The values that a filter's references name outside a block's rows: attributes that are fields, and values in the
// descriptors of resources and scopes, which parts also list (part/outlines.ts).
import { WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';
import { serviceName } from '../trace/service-name.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import type { FieldName, FilterReference } from '../trace/filter.ts';
import { BOOL, BYTES, DOUBLE, INT, STRING } from '../trace/any-value.ts';
import * as T from '../trace/templates.ts';
import { oneEntry, oneText, type Entries } from './filter-runs.ts';
import { attributeValues } from './match-tag.ts';

/** Attributes without a level, or of the span, that are stored as fields. */
const FIELDS_BY_KEY: ReadonlyMap<string, FieldName> = new Map([
  ['span.kind', 'span.kind'],
  ['span.status', 'span.status'],
  ['scope.name', 'scope.name'],
  ['scope.version', 'scope.version'],
]);
/** Fields of the Resource and Scope messages. */
const RESOURCE_ATTRIBUTES = 1;
const SCOPE_ATTRIBUTES = 3;
const SCOPE_NAME = 1;
const SCOPE_VERSION = 2;

type AttributeReference = FilterReference & { readonly kind: 'attribute' };

export function fieldOfAttribute({ key, level }: AttributeReference): FieldName | undefined {
  return level === '' || level === 'span' ? FIELDS_BY_KEY.get(key) : undefined;
}

/** Whether the attribute is `error`, whose value also depends on the span's status. */
export function isInErrorTag({ key, level }: AttributeReference): boolean {
  return key === 'error' && (level === '' || level === 'span');
}

/** The values in a resource of a field of its level, or of an attribute. */
export function resourceValues(reference: FilterReference, descriptor: Uint8Array): Entries[] {
  const { schemaUrl, message } = parseDescriptor(descriptor);
  if (reference.kind === 'attribute') return entriesOf(message, RESOURCE_ATTRIBUTES, reference.key);
  if (reference.name === 'resource.schemaURL') return unlessEmpty(schemaUrl);
  return [oneText(Buffer.from(serviceName(message), 'utf8'))];
}

/** The values in a scope of a field of its level, or of an attribute. */
export function scopeValues(reference: FilterReference, descriptor: Uint8Array): Entries[] {
  const { schemaUrl, message } = parseDescriptor(descriptor);
  if (reference.kind === 'attribute') return entriesOf(message, SCOPE_ATTRIBUTES, reference.key);
  if (reference.name === 'scope.schemaURL') return unlessEmpty(schemaUrl);
  return unlessEmpty(scopeText(message, reference.name === 'scope.name' ? SCOPE_NAME : SCOPE_VERSION));
}

/** An empty field of this kind counts as absent. */
function unlessEmpty(text: Uint8Array): Entries[] {
  return text.length === 0 ? [] : [oneText(text)];
}

/** Values of every attribute `name` in KeyValue field `field` of a message. */
function entriesOf(message: Uint8Array, field: number, name: string): Entries[] {
  return Array.from(attributeValues(message, field, Buffer.from(name, 'utf8')), valueOf);
}

/** An AnyValue. A value other than text, number or boolean is present, but equals nothing. */
function valueOf(any: Uint8Array): Entries {
  let value = oneEntry(T.TYPE_EMPTY, 0, 0);
  const reader = new WireReader(any);
  while (reader.next()) {
    const { field, lo, hi } = reader;
    if (field > BYTES) continue; // a field of a newer OTLP, not the value
    if (field === STRING) value = oneText(reader.value());
    else if (field === BOOL) value = oneEntry(T.TYPE_BOOL, lo | hi, 0);
    else if (field === INT) value = oneEntry(T.TYPE_INT, lo, hi);
    else if (field === DOUBLE) value = oneEntry(T.TYPE_DOUBLE, lo, hi);
    else value = oneEntry(T.TYPE_RAW, 0, 0);
  }
  return value;
}

/** Name (field 1) or version (field 2) of a Scope message; empty if absent. */
function scopeText(message: Uint8Array, field: number): Uint8Array {
  const reader = new WireReader(message);
  let text = message.subarray(0, 0);
  while (reader.next()) if (reader.field === field && reader.wire === WIRE_BYTES) text = reader.value();
  return text;
}
