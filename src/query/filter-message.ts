// The values that stand in the canonical Resource and Scope messages of a block, read as filters compare them.
import { WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';
import * as T from '../trace/templates.ts';
import { oneEntry, oneText, type Entries } from './filter-runs.ts';

/** Values of every attribute `key` in KeyValue field `field` of a message. */
export function attributeValues(message: Uint8Array, field: number, key: Buffer): Entries[] {
  const reader = new WireReader(message);
  const attribute = new WireReader(message);
  const values: Entries[] = [];
  while (reader.next()) {
    if (reader.field !== field) continue;
    attribute.reset(reader.valueStart, reader.valueEnd);
    let isKey = key.length === 0; // an empty key is not on the wire
    let any: Uint8Array | undefined;
    while (attribute.next()) {
      if (attribute.field === 1) isKey = key.equals(attribute.value());
      else if (attribute.field === 2) any = attribute.value();
    }
    if (isKey) values.push(valueOf(any));
  }
  return values;
}

/** An AnyValue; what is no text, number or boolean is there, but compares with nothing. */
function valueOf(any: Uint8Array | undefined): Entries {
  let value = oneEntry(T.TYPE_EMPTY, 0, 0);
  if (any === undefined) return value;
  const reader = new WireReader(any);
  while (reader.next()) {
    const { field, lo, hi } = reader;
    if (field > 7) continue; // of a newer OTLP, beside the value
    if (field === 1) value = oneText(reader.value());
    else if (field === 2) value = oneEntry(T.TYPE_BOOL, lo | hi, 0);
    else if (field === 3) value = oneEntry(T.TYPE_INT, lo, hi);
    else if (field === 4) value = oneEntry(T.TYPE_DOUBLE, lo, hi);
    else value = oneEntry(T.TYPE_RAW, 0, 0);
  }
  return value;
}

/** Name (field 1) or version (field 2) of a Scope message; empty where it has none. */
export function scopeText(message: Uint8Array, field: number): Uint8Array {
  const reader = new WireReader(message);
  let text = message.subarray(0, 0);
  while (reader.next()) if (reader.field === field && reader.wire === WIRE_BYTES) text = reader.value();
  return text;
}
