// Columns → OTLP protobuf: canonical bytes (fields in number order, minimal varints), so that equal spans have equal
// bytes, whatever blocks and parts they came from.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import type { ByteTable } from '../bytes/byte-table.ts';
import type { ChildRows, SpanBatch, ValueList } from '../trace/span-batch.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import * as T from '../trace/templates.ts';
import { DAY_NS } from '../trace/day-clock.ts';

const TWO_32 = 4294967296;
const MIDNIGHTS = new Map<number, readonly [number, number]>();

/** The words of a UTC day's midnight in ns since the epoch. */
function midnight(day: number): readonly [number, number] {
  let words = MIDNIGHTS.get(day);
  if (words === undefined) {
    const ns = BigInt(day) * BigInt(DAY_NS);
    words = [Number(ns & 0xffffffffn), Number(ns >> 32n)];
    if (MIDNIGHTS.size > 4096) MIDNIGHTS.clear();
    MIDNIGHTS.set(day, words);
  }
  return words;
}

/** Writes OTLP messages from the rows of one batch. Cheap to make; not shared between batches. */
export class SpanWriterOtlp {
  readonly #batch: SpanBatch;
  readonly out: ByteWriter;
  /** 64-bit results of #addTime. */
  #lo = 0;
  #hi = 0;

  constructor(batch: SpanBatch, out: ByteWriter = new ByteWriter()) {
    this.#batch = batch;
    this.out = out;
  }

  /** Appends one Span message's body. */
  writeSpan(row: number): void {
    const { out } = this;
    const batch = this.#batch;
    const templates = batch.spanTemplates;
    const { ints } = templates;
    const head = templates.start(batch.template[row]!);
    const end = templates.end(batch.template[row]!);
    assert(row < batch.rowCount, 'a row beyond the batch');
    assert(end - head >= T.SPAN_HEAD, 'a template shorter than its head');
    const values = batch.valueStart[row]! - head - T.SPAN_HEAD;
    const fields = { ints, head: head + T.SPAN_HEAD, end, values: batch.values, shift: values };
    const presence = ints[head + T.SPAN_PRESENCE]!;
    this.#bytesField(1, new Uint8Array(batch.traceId.buffer, row * 16, 16));
    this.#bytesField(2, new Uint8Array(batch.spanId.buffer, row * 8, 8));
    this.#intrinsicText(fields, T.FIELD_TRACE_STATE, 3);
    const hasParent =
      batch.parentId[row * 2] !== 0 || batch.parentId[row * 2 + 1] !== 0 || (presence & T.HAS_ZERO_PARENT) !== 0;
    if (hasParent) this.#bytesField(4, new Uint8Array(batch.parentId.buffer, row * 8, 8));
    this.#text(5, batch.strings, ints[head + T.SPAN_NAME]!);
    this.#int32(6, ints[head + T.SPAN_KIND]!);
    this.#startTime(row);
    this.#endTime(row, fields);
    this.#attributes(9, fields);
    this.#intrinsicCount(fields, T.FIELD_DROPPED_ATTRIBUTES, 10);
    if ((presence & T.HAS_EVENTS) !== 0) this.#events(row);
    this.#intrinsicCount(fields, T.FIELD_DROPPED_EVENTS, 12);
    if ((presence & T.HAS_LINKS) !== 0) this.#links(row);
    this.#intrinsicCount(fields, T.FIELD_DROPPED_LINKS, 14);
    if ((presence & T.HAS_STATUS) !== 0) {
      out.tag(15, 2);
      const at = out.beginMessage();
      this.#intrinsicText(fields, T.FIELD_STATUS_MESSAGE, 2);
      this.#int32(3, ints[head + T.SPAN_STATUS]!);
      out.endMessage(at);
    }
    this.#flags(16, ints[head + T.SPAN_FLAGS]!);
    this.#extra(fields);
  }

  #startTime(row: number): void {
    const words = midnight(this.#batch.day[row]!);
    this.#add(words[0], words[1], this.#batch.start[row]!);
    this.#fixed64(7, this.#lo, this.#hi);
  }

  #endTime(row: number, fields: Fields): void {
    const at = findIntrinsic(fields, T.FIELD_END_TIME);
    if (at < 0) {
      this.#add(this.#lo, this.#hi, this.#batch.duration[row]!);
      this.#fixed64(8, this.#lo, this.#hi);
      return;
    }
    this.#fixed64(8, fields.values.a[at]!, fields.values.b[at]!);
  }

  /** #lo, #hi := (lo, hi) + delta, for an exact integer delta. */
  #add(lo: number, hi: number, delta: number): void {
    const high = Math.floor(delta / TWO_32);
    const low = lo + (delta - high * TWO_32);
    this.#lo = low >= TWO_32 ? low - TWO_32 : low;
    this.#hi = (hi + high + (low >= TWO_32 ? 1 : 0)) >>> 0;
  }

  #events(row: number): void {
    const batch = this.#batch;
    const { events, eventTemplates } = batch;
    const words = midnight(batch.day[row]!);
    for (let event = batch.eventStart[row]!; event < batch.eventStart[row + 1]!; event++) {
      const fields = childFields(events, eventTemplates, event, T.EVENT_HEAD);
      this.out.tag(11, 2);
      const at = this.out.beginMessage();
      const time = findIntrinsic(fields, T.FIELD_TIME);
      if (time >= 0) this.#fixed64(1, fields.values.a[time]!, fields.values.b[time]!);
      else {
        this.#add(words[0], words[1], batch.start[row]!);
        this.#add(this.#lo, this.#hi, events.time[event]!);
        this.#fixed64(1, this.#lo, this.#hi);
      }
      this.#text(2, batch.strings, fields.ints[fields.head - T.EVENT_HEAD + T.EVENT_NAME]!);
      this.#attributes(3, fields);
      this.#intrinsicCount(fields, T.FIELD_DROPPED_ATTRIBUTES, 4);
      this.#extra(fields);
      this.out.endMessage(at);
    }
  }

  #links(row: number): void {
    const batch = this.#batch;
    const { links, linkTemplates } = batch;
    for (let link = batch.linkStart[row]!; link < batch.linkStart[row + 1]!; link++) {
      const fields = childFields(links, linkTemplates, link, T.LINK_HEAD);
      const presence = fields.ints[fields.head - T.LINK_HEAD + T.LINK_PRESENCE]!;
      this.out.tag(13, 2);
      const at = this.out.beginMessage();
      if ((presence & T.HAS_LINK_TRACE_ID) !== 0)
        this.#bytesField(1, new Uint8Array(batch.linkIds.buffer, link * 24, 16));
      this.#intrinsicText(fields, T.FIELD_LINK_TRACE_ID, 1);
      if ((presence & T.HAS_LINK_SPAN_ID) !== 0)
        this.#bytesField(2, new Uint8Array(batch.linkIds.buffer, link * 24 + 16, 8));
      this.#intrinsicText(fields, T.FIELD_LINK_SPAN_ID, 2);
      this.#intrinsicText(fields, T.FIELD_TRACE_STATE, 3);
      this.#attributes(4, fields);
      this.#intrinsicCount(fields, T.FIELD_DROPPED_ATTRIBUTES, 5);
      this.#flags(6, fields.ints[fields.head - T.LINK_HEAD + T.LINK_FLAGS]!);
      this.#extra(fields);
      this.out.endMessage(at);
    }
  }

  #attributes(field: number, fields: Fields): void {
    const { out } = this;
    const { strings } = this.#batch;
    for (let i = fields.head; i < fields.end; i++) {
      const code = fields.ints[i]!;
      if (T.isIntrinsic(code)) continue;
      const key = T.fieldId(code);
      out.tag(field, 2);
      const at = out.beginMessage();
      this.#text(1, strings, key);
      const type = T.fieldType(code);
      if (type !== T.TYPE_ABSENT) {
        out.tag(2, 2);
        const valueAt = out.beginMessage();
        this.#anyValue(type, fields.values.a[i + fields.shift]!, fields.values.b[i + fields.shift]!);
        out.endMessage(valueAt);
      }
      out.endMessage(at);
    }
  }

  /** The body of an AnyValue. Presence counts, so an empty string, false and 0 are written. */
  #anyValue(type: number, a: number, b: number): void {
    const { out } = this;
    const { arena } = this.#batch;
    switch (type) {
      case T.TYPE_STRING:
      case T.TYPE_BYTES:
        out.tag(type === T.TYPE_STRING ? 1 : 7, 2);
        out.varint(b);
        out.rawRange(arena, a, a + b);
        break;
      case T.TYPE_BOOL:
        out.tag(2, 0);
        out.u8(a);
        break;
      case T.TYPE_INT:
        out.tag(3, 0);
        out.varint64(a, b);
        break;
      case T.TYPE_DOUBLE:
        out.tag(4, 1);
        out.u64(a, b);
        break;
      case T.TYPE_RAW:
        out.rawRange(arena, a, a + b);
        break;
      default:
    }
  }

  #bytesField(field: number, value: Uint8Array): void {
    this.out.bytesField(field, value);
  }

  #text(field: number, strings: ByteTable, id: number): void {
    const size = strings.end(id) - strings.start(id);
    if (size === 0) return;
    this.out.tag(field, 2);
    this.out.varint(size);
    this.out.rawRange(strings.arena, strings.start(id), strings.end(id));
  }

  /** A proto3 int32 or enum: negative values take ten bytes; zero is omitted. */
  #int32(field: number, value: number): void {
    if (value === 0) return;
    this.out.tag(field, 0);
    this.out.varint64(value >>> 0, value < 0 ? 0xffffffff : 0);
  }

  #flags(field: number, value: number): void {
    if (value === 0) return;
    this.out.tag(field, 5);
    this.out.u32(value);
  }

  /** A fixed64 time; zero is proto3's default and is omitted. */
  #fixed64(field: number, lo: number, hi: number): void {
    if (lo === 0 && hi === 0) return;
    this.out.tag(field, 1);
    this.out.u64(lo, hi);
  }

  #intrinsicText(fields: Fields, intrinsic: number, field: number): void {
    const at = findIntrinsic(fields, intrinsic);
    if (at < 0) return;
    const start = fields.values.a[at]!;
    const size = fields.values.b[at]!;
    if (size === 0) return;
    this.out.tag(field, 2);
    this.out.varint(size);
    this.out.rawRange(this.#batch.arena, start, start + size);
  }

  #intrinsicCount(fields: Fields, intrinsic: number, field: number): void {
    const at = findIntrinsic(fields, intrinsic);
    if (at < 0) return;
    this.out.tag(field, 0);
    this.out.varint(fields.values.a[at]!);
  }

  /** Unknown fields, verbatim and in their original order. */
  #extra(fields: Fields): void {
    for (let i = fields.head; i < fields.end; i++) {
      const code = fields.ints[i]!;
      if (!T.isIntrinsic(code) || T.fieldId(code) !== T.FIELD_EXTRA) continue;
      const start = fields.values.a[i + fields.shift]!;
      this.out.rawRange(this.#batch.arena, start, start + fields.values.b[i + fields.shift]!);
    }
  }
}

/** A row's fields: codes ints[head, end), and the value of field i at values[i + shift]. */
interface Fields {
  readonly ints: Int32Array;
  readonly head: number;
  readonly end: number;
  readonly values: ValueList;
  readonly shift: number;
}

function childFields(rows: ChildRows, templates: SpanBatch['eventTemplates'], row: number, headInts: number): Fields {
  const head = templates.start(rows.template[row]!) + headInts;
  return {
    ints: templates.ints,
    head,
    end: templates.end(rows.template[row]!),
    values: rows.values,
    shift: rows.valueStart[row]! - head,
  };
}

/** Index into values of the LAST such intrinsic (proto3: the last one on the wire wins), or -1. */
function findIntrinsic(fields: Fields, intrinsic: number): number {
  for (let i = fields.end - 1; i >= fields.head; i--) {
    const code = fields.ints[i]!;
    if (T.isIntrinsic(code) && T.fieldId(code) === intrinsic) return i + fields.shift;
  }
  return -1;
}

/**
 * One OTLP TracesData message with `rows` in the given order, grouped by resource and, inside it, by scope; groups in
 * order of first occurrence. The same rows in the same order give the same bytes.
 */
export function writeTraces(batch: SpanBatch, rows: Uint32Array): Uint8Array<ArrayBuffer> {
  const groups = new Map<number, Map<number, number[]>>();
  for (const row of rows) {
    const head = batch.spanTemplates.start(batch.template[row]!);
    const resource = batch.spanTemplates.ints[head + T.SPAN_RESOURCE]!;
    const scope = batch.spanTemplates.ints[head + T.SPAN_SCOPE]!;
    let scopes = groups.get(resource);
    if (scopes === undefined) groups.set(resource, (scopes = new Map()));
    const list = scopes.get(scope);
    if (list === undefined) scopes.set(scope, [row]);
    else list.push(row);
  }
  const spans = new SpanWriterOtlp(batch);
  const { out } = spans;
  for (const [resource, scopes] of groups) {
    out.tag(1, 2);
    const at = out.beginMessage();
    const end = writeDescriptorStart(out, batch.resources.bytes(resource));
    for (const [scope, list] of scopes) {
      out.tag(2, 2);
      const scopeAt = out.beginMessage();
      const scopeEnd = writeDescriptorStart(out, batch.scopes.bytes(scope));
      for (const row of list) {
        out.tag(2, 2);
        const spanAt = out.beginMessage();
        spans.writeSpan(row);
        out.endMessage(spanAt);
      }
      if (scopeEnd.length > 0) out.bytesField(3, scopeEnd);
      out.endMessage(scopeAt);
    }
    if (end.length > 0) out.bytesField(3, end);
    out.endMessage(at);
  }
  return out.take();
}

/** Writes field 1 of ResourceSpans or ScopeSpans and returns its schema URL, which is written last. */
function writeDescriptorStart(out: ByteWriter, descriptor: Uint8Array): Uint8Array {
  const { isPresent, schemaUrl, message } = parseDescriptor(descriptor);
  if (isPresent) out.bytesField(1, message);
  return schemaUrl;
}
