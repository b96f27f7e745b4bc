// OTLP attributes as views of protobuf bytes: reads them without copying values, applies Jaeger's sanitizing of invalid
// UTF-8 (contract/jaeger.md §1.10), and prints values as text. Stored data stays unchanged.
import { formatDouble, formatInt64, isUtf8Range, quoteJson, utf8Slice } from '../bytes/json-writer.ts';
import { WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';
import { doubleOf } from '../bytes/double-of.ts';
import { BOOL, BYTES, DOUBLE, EMPTY, INT, LIST, MAP, STRING, wireOfMember } from './any-value.ts';

/** One attribute. Its value: a range of the trace's bytes, 64 bits in two halves, or `own` if replaced by the view. */
export interface Attribute {
  readonly key: string;
  readonly type: number;
  /** Types 1, 5, 6, 7: start of the value; types 2, 3, 4: its low 32 bits. */
  readonly lo: number;
  /** Types 1, 5, 6, 7: end of the value; types 2, 3, 4: its high 32 bits. */
  readonly hi: number;
  readonly own: string | Uint8Array | undefined;
}

export function bytesAttribute(key: string, bytes: Uint8Array): Attribute {
  return { key, type: BYTES, lo: 0, hi: 0, own: bytes };
}

/** The attributes in KeyValue field `field` of the message [start, end), sanitized, in wire order. */
export function readAttributes(bytes: Uint8Array, start: number, end: number, field: number): Attribute[] {
  const list: Attribute[] = [];
  const invalid: Attribute[] = [];
  const reader = new WireReader(bytes, start, end);
  const inner = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== field) continue;
    reader.expect(WIRE_BYTES, 'attributes');
    readKeyValue(inner.reset(reader.valueStart, reader.valueEnd), list, invalid);
  }
  for (let i = 0; i < invalid.length; i++) list.push({ ...invalid[i]!, key: `invalid-tag-key-${i + 1}` });
  return list;
}

function readKeyValue(reader: WireReader, list: Attribute[], invalid: Attribute[]): void {
  const { bytes } = reader;
  let keyStart = 0;
  let keyEnd = 0;
  let valueStart = 0;
  let valueEnd = 0;
  while (reader.next()) {
    if (reader.field > 2) continue;
    reader.expect(WIRE_BYTES, 'KeyValue');
    if (reader.field === 1) ({ valueStart: keyStart, valueEnd: keyEnd } = reader);
    else ({ valueStart, valueEnd } = reader);
  }
  const key = utf8Slice(bytes, keyStart, keyEnd);
  const attribute = readAnyValue(reader.reset(valueStart, valueEnd), key);
  if (!key.includes('\ufffd') || isUtf8Range(bytes, keyStart, keyEnd)) list.push(attribute);
  else
    invalid.push(
      bytesAttribute(
        key,
        Buffer.concat([bytes.subarray(keyStart, keyEnd), Buffer.from(':'), rawValue(bytes, attribute)]),
      ),
    );
}

/** The AnyValue in the reader's range. A string with invalid UTF-8 becomes bytes, as in Jaeger's sanitizer. */
function readAnyValue(reader: WireReader, key: string): Attribute {
  let type = EMPTY;
  let lo = 0;
  let hi = 0;
  while (reader.next()) {
    const { field } = reader;
    if (field > BYTES) continue;
    reader.expect(wireOfMember(field), 'AnyValue');
    type = field;
    lo = reader.wire === WIRE_BYTES ? reader.valueStart : reader.lo;
    hi = reader.wire === WIRE_BYTES ? reader.valueEnd : reader.hi;
  }
  if (type === STRING && !isUtf8Range(reader.bytes, lo, hi)) type = BYTES;
  return { key, type, lo, hi, own: undefined };
}

function rawValue(bytes: Uint8Array, attribute: Attribute): Uint8Array {
  return attribute.type === BYTES ? bytes.subarray(attribute.lo, attribute.hi) : Buffer.from(textOf(bytes, attribute));
}

/** The value as text, as the Collector's AsString does: JSON for lists and maps, base64 for bytes, "" for no value. */
export function textOf(bytes: Uint8Array, attribute: Attribute): string {
  const { type, lo, hi, own } = attribute;
  if (own !== undefined) return typeof own === 'string' ? own : Buffer.from(own).toString('base64');
  switch (type) {
    case EMPTY:
      return '';
    case STRING:
      return utf8Slice(bytes, lo, hi);
    case BOOL:
      return lo === 0 && hi === 0 ? 'false' : 'true';
    case INT:
      return formatInt64(lo, hi);
    case DOUBLE:
      return Number.isFinite(doubleOf(lo, hi)) ? formatDouble(doubleOf(lo, hi)) : String(doubleOf(lo, hi));
    case BYTES:
      return Buffer.from(bytes.subarray(lo, hi)).toString('base64');
    default:
      return jsonOf(bytes, attribute);
  }
}

/** The text form of an AnyValue message, with which searches compare. */
export function textOfAnyValue(anyValue: Uint8Array): string {
  return textOf(anyValue, readAnyValue(new WireReader(anyValue), ''));
}

/** The value as compact JSON text; map keys sorted and unique (the last one counts), as Go marshals a map. */
function jsonOf(bytes: Uint8Array, attribute: Attribute): string {
  const { type, lo, hi } = attribute;
  switch (type) {
    case EMPTY:
      return 'null';
    case BOOL:
    case INT:
      return textOf(bytes, attribute);
    case DOUBLE:
      return Number.isFinite(doubleOf(lo, hi))
        ? formatDouble(doubleOf(lo, hi))
        : quoteJson(infiniteText(doubleOf(lo, hi)));
    case LIST:
      return `[${listItems(bytes, attribute)
        .map((item) => jsonOf(bytes, item))
        .join(',')}]`;
    case MAP: {
      const byKey = new Map(readAttributes(bytes, lo, hi, 1).map((item) => [item.key, item]));
      const sorted = [...byKey.values()].sort(byKeyBytes);
      return `{${sorted.map((item) => `${quoteJson(item.key, false)}:${jsonOf(bytes, item)}`).join(',')}}`;
    }
    default:
      return quoteJson(textOf(bytes, attribute), false);
  }
}

/** The items of a LIST value, each as an attribute without a key. */
export function listItems(bytes: Uint8Array, attribute: Attribute): Attribute[] {
  const reader = new WireReader(bytes, attribute.lo, attribute.hi);
  const inner = new WireReader(bytes);
  const items: Attribute[] = [];
  while (reader.next()) {
    if (reader.field !== 1) continue;
    reader.expect(WIRE_BYTES, 'ArrayValue.values');
    items.push(readAnyValue(inner.reset(reader.valueStart, reader.valueEnd), ''));
  }
  return items;
}

/** Go's text of NaN and the infinities, which are not JSON numbers. */
export function infiniteText(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** Orders by the key's UTF-8 bytes; a stable sort keeps the order of equal keys. */
export function byKeyBytes(a: Attribute, b: Attribute): number {
  return compareUtf8(a.key, b.key);
}

/** Compares by UTF-8 bytes; for code points above U+FFFF the order of UTF-16 units differs. */
export function compareUtf8(a: string, b: string): number {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankUnit(x) - rankUnit(y);
  }
  return a.length - b.length;
}

/** Surrogates (of code points above U+FFFF) rank above U+E000–U+FFFF. */
function rankUnit(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
