// OTLP TracesData protobuf → OTLP JSON, byte for byte as Jaeger's /api/v3 writes it (contract/jaeger.md §1.5): fields
// in the order of the .proto files, ids in hex, enums as integers, 64-bit integers as decimal strings, NaN and
// infinities as strings, bytes in base64. Default-valued fields are omitted, but resource, scope, status and an
// attribute's value are always present, {} when empty. JSON cannot hold invalid UTF-8: such values become bytes values,
// and in other texts U+FFFD replaces the invalid bytes. Fields unknown to this version are not in the JSON (the stored
// protobuf keeps them).
import { doubleOf } from '../bytes/double-of.ts';
import { limits } from '../base/limits.ts';
import { formatDouble, formatInt64, formatUint64, isUtf8Range, JsonWriter } from '../bytes/json-writer.ts';
import { malformed, WireReader, WIRE_BYTES } from '../bytes/wire-reader.ts';
import { BOOL, BYTES, DOUBLE, EMPTY, INT, LIST, MAP, STRING, wireOfMember } from '../trace/any-value.ts';
import { ARRAY_VALUE, KEY_VALUE_LIST, NO_WIRE, RESOURCE, SCOPE, SPAN } from './json-schema.ts';
import type { Field, FieldKind, Schema } from './json-schema.ts';

/** A chunk of this size is yielded: large enough for the socket, small enough to share the event loop. */
const CHUNK_BYTES = 65_536;
/** Deepest message in a span: itself, an event, an attribute, then up to two messages (list, pair) per value level. */
const NESTING_MAX = 3 + 2 * (limits.anyValueDepthMax + 1);

/**
 * Writes TracesData messages as one `{"resourceSpans":[…]}` in UTF-8 chunks of about 64 KiB. Throws INVALID_REQUEST,
 * possibly after some chunks, when the bytes are malformed.
 */
export function* tracesToJson(...messages: readonly Uint8Array[]): Generator<Buffer, void, undefined> {
  const encoder = new OtlpJsonEncoder();
  const { out } = encoder;
  out.text('{');
  let count = 0;
  for (const message of messages) {
    encoder.bytes = message;
    const reader = new WireReader(message);
    while (reader.next()) {
      if (reader.field !== 1) continue;
      reader.expect(WIRE_BYTES, 'TracesData.resource_spans');
      out.text(count++ === 0 ? '"resourceSpans":[' : ',');
      yield* resourceSpans(encoder, reader.valueStart, reader.valueEnd);
    }
  }
  out.text(count > 0 ? ']}' : '}');
  yield out.take();
}

function* resourceSpans(encoder: OtlpJsonEncoder, start: number, end: number): Generator<Buffer, void, undefined> {
  const { out } = encoder;
  out.text('{"resource":');
  encoder.lastMessage(start, end, 1, RESOURCE);
  const reader = new WireReader(encoder.bytes, start, end);
  let count = 0;
  while (reader.next()) {
    if (reader.field !== 2) continue;
    reader.expect(WIRE_BYTES, 'ResourceSpans.scope_spans');
    out.text(count++ === 0 ? ',"scopeSpans":[' : ',');
    yield* scopeSpans(encoder, reader.valueStart, reader.valueEnd);
  }
  if (count > 0) out.text(']');
  encoder.schemaUrl(start, end);
  out.text('}');
}

function* scopeSpans(encoder: OtlpJsonEncoder, start: number, end: number): Generator<Buffer, void, undefined> {
  const { out } = encoder;
  out.text('{"scope":');
  encoder.lastMessage(start, end, 1, SCOPE);
  const reader = new WireReader(encoder.bytes, start, end);
  let count = 0;
  while (reader.next()) {
    if (reader.field !== 2) continue;
    reader.expect(WIRE_BYTES, 'ScopeSpans.spans');
    out.text(count++ === 0 ? ',"spans":[' : ',');
    encoder.message(reader.valueStart, reader.valueEnd, SPAN);
    if (out.length >= CHUNK_BYTES) yield out.take();
  }
  if (count > 0) out.text(']');
  encoder.schemaUrl(start, end);
  out.text('}');
}

/** Numbers stored per field number while a message is scanned. */
const MARK_INTS = 4;
const FIRST = 0; // start of the field's first occurrence, + 1; 0 = the field is absent
const LAST = 1; // end of its last occurrence
const LOW = 2; // its last value: low half, or the start of the range
const HIGH = 3; // high half, or the end of the range

/** Writes the messages above from their tables: one scan finds each field, then all are written in order. */
class OtlpJsonEncoder {
  /** The bytes of the current TracesData message. */
  bytes: Uint8Array = new Uint8Array(0);
  readonly out = new JsonWriter({ isHtmlEscaped: false, capacityBytes: CHUNK_BYTES * 2 });
  /** One set of marks per nesting level, reused: a message is written before its sibling is scanned. */
  readonly #marks: Uint32Array[] = [];
  #depth = 0;

  /** Writes the last occurrence of message field `number` in [start, end), {} when absent. */
  lastMessage(start: number, end: number, number: number, schema: Schema): void {
    const reader = new WireReader(this.bytes, start, end);
    let from = 0;
    let to = 0;
    while (reader.next()) {
      if (reader.field !== number) continue;
      reader.expect(WIRE_BYTES, 'a message');
      from = reader.valueStart;
      to = reader.valueEnd;
    }
    this.message(from, to, schema);
  }

  /** Writes `,"schemaUrl":…` of a ResourceSpans or ScopeSpans (field 3 of both) unless it is empty. */
  schemaUrl(start: number, end: number): void {
    const reader = new WireReader(this.bytes, start, end);
    let from = 0;
    let to = 0;
    while (reader.next()) {
      if (reader.field !== 3) continue;
      reader.expect(WIRE_BYTES, 'schema_url');
      from = reader.valueStart;
      to = reader.valueEnd;
    }
    if (to === from) return;
    this.out.text(',"schemaUrl":');
    this.out.utf8(this.bytes, from, to);
  }

  message(start: number, end: number, schema: Schema): void {
    const { out } = this;
    if (this.#depth === NESTING_MAX) malformed(`nested deeper than ${NESTING_MAX} messages`, start);
    const marks = (this.#marks[this.#depth++] ??= new Uint32Array(17 * MARK_INTS));
    this.#scan(start, end, schema, marks);
    const before = out.length + 1;
    out.text('{');
    for (const field of schema.fields) {
      const at = field.number * MARK_INTS;
      const isAlways = field.kind === 'message' || field.kind === 'value';
      if (!isAlways && (marks[at] === 0 || this.#isDefault(field.kind, marks[at + LOW]!, marks[at + HIGH]!))) continue;
      out.text(out.length === before ? `"${field.name}":` : `,"${field.name}":`);
      this.#field(field, marks, at);
    }
    out.text('}');
    this.#depth--;
  }

  #scan(start: number, end: number, schema: Schema, marks: Uint32Array): void {
    const { wires } = schema;
    marks.fill(0, 0, wires.length * MARK_INTS);
    const reader = new WireReader(this.bytes, start, end);
    while (reader.next()) {
      if (reader.field >= wires.length || wires[reader.field] === NO_WIRE) continue;
      reader.expect(wires[reader.field]!, `field ${reader.field}`);
      const at = reader.field * MARK_INTS;
      if (marks[at + FIRST] === 0) marks[at + FIRST] = reader.fieldStart + 1;
      marks[at + LAST] = reader.pos;
      marks[at + LOW] = reader.wire === WIRE_BYTES ? reader.valueStart : reader.lo;
      marks[at + HIGH] = reader.wire === WIRE_BYTES ? reader.valueEnd : reader.hi;
    }
  }

  #isDefault(kind: FieldKind, low: number, high: number): boolean {
    switch (kind) {
      case 'id':
        for (let i = low; i < high; i++) if (this.bytes[i] !== 0) return false;
        return true;
      case 'string':
        return low === high;
      case 'uint32':
      case 'fixed32':
      case 'enum':
        return low === 0;
      case 'nanos':
        return low === 0 && high === 0;
      default:
        return false;
    }
  }

  #field(field: Field, marks: Uint32Array, at: number): void {
    const { out, bytes } = this;
    const low = marks[at + LOW]!;
    const high = marks[at + HIGH]!;
    switch (field.kind) {
      case 'id':
        return out.hex(bytes, low, high);
      case 'string':
        return out.utf8(bytes, low, high);
      case 'uint32':
      case 'fixed32':
        return out.text(String(low));
      case 'enum':
        return out.text(String(low | 0));
      case 'nanos':
        return out.text(`"${formatUint64(low, high)}"`);
      case 'message':
        return this.message(low, high, field.schema);
      case 'value':
        return this.anyValue(low, high);
      default:
        return this.#repeated(field, marks[at + FIRST]! - 1, marks[at + LAST]!);
    }
  }

  #repeated(field: Field, start: number, end: number): void {
    const { out } = this;
    const reader = new WireReader(this.bytes, start, end);
    let count = 0;
    while (reader.next()) {
      if (reader.field !== field.number) continue;
      out.text(count++ === 0 ? '[' : ',');
      if (field.kind === 'strings') out.utf8(this.bytes, reader.valueStart, reader.valueEnd);
      else if (field.kind === 'values') this.anyValue(reader.valueStart, reader.valueEnd);
      else this.message(reader.valueStart, reader.valueEnd, field.schema);
    }
    out.text(']');
  }

  /** A oneof: the last member on the wire counts, and it is written even if zero or empty. */
  anyValue(start: number, end: number): void {
    const reader = new WireReader(this.bytes, start, end);
    let field = 0;
    let lo = 0;
    let hi = 0;
    while (reader.next()) {
      if (reader.field > BYTES) continue;
      field = reader.field;
      reader.expect(wireOfMember(field), 'AnyValue');
      lo = reader.wire === WIRE_BYTES ? reader.valueStart : reader.lo;
      hi = reader.wire === WIRE_BYTES ? reader.valueEnd : reader.hi;
    }
    this.#member(field, lo, hi);
  }

  #member(field: number, lo: number, hi: number): void {
    const { out, bytes } = this;
    switch (field) {
      case EMPTY:
        return out.text('{}');
      case STRING:
        // JSON cannot hold this text; a bytes value keeps its bytes.
        if (!isUtf8Range(bytes, lo, hi)) return this.#member(BYTES, lo, hi);
        out.text('{"stringValue":');
        out.utf8(bytes, lo, hi);
        break;
      case BOOL:
        out.text(lo === 0 && hi === 0 ? '{"boolValue":false' : '{"boolValue":true');
        break;
      case INT:
        out.text(`{"intValue":"${formatInt64(lo, hi)}"`);
        break;
      case DOUBLE:
        out.text(`{"doubleValue":${jsonDouble(lo, hi)}`);
        break;
      case LIST:
        out.text('{"arrayValue":');
        this.message(lo, hi, ARRAY_VALUE);
        break;
      case MAP:
        out.text('{"kvlistValue":');
        this.message(lo, hi, KEY_VALUE_LIST);
        break;
      default:
        out.text('{"bytesValue":');
        out.base64(bytes, lo, hi);
    }
    out.text('}');
  }
}

/** A double as protobuf's JSON has it: a number, or the strings "NaN", "Infinity", "-Infinity". */
function jsonDouble(lo: number, hi: number): string {
  const value = doubleOf(lo, hi);
  // The Collector's encoder gives exponents two digits.
  return Number.isFinite(value) ? formatDouble(value).replace(/e-(?=\d$)/, 'e-0') : `"${value}"`;
}
