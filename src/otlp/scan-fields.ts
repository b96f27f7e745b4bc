// The field level of the scan: converts attributes, events, links and rare fields of one span to template sequences and
// value words. Events and links wait until the span's start is known, because their times are stored relative to it.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { WireReader, WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import { BOOL, BYTES, DOUBLE, INT, STRING } from '../trace/any-value.ts';
import type { SpanBatch, ValueList } from '../trace/span-batch.ts';
import type { RejectReason } from '../trace/store.ts';
import * as T from '../trace/templates.ts';
import { writeCanonicalAnyValue } from './canonical.ts';

const NO_BYTES = new Uint8Array(0);
/** Template space for fields beside the attributes. Further fields are not stored, and the span is rejected. */
const OTHER_FIELDS_MAX = 64;

/** A power of two, several times the number of keys in a fleet (100 to 1,000). */
const KEY_CACHE_SLOTS = 4096;

/** A template being collected, and the list of its values. */
class Sequence {
  ints = new Int32Array(0);
  length = 0;
  isFull = false;
  #valuesBefore = 0;
  readonly values: ValueList;

  constructor(values: ValueList) {
    this.values = values;
  }

  /** Makes room for templates with this many attributes; only between requests, because spans hold the array. */
  reserve(attributesMax: number): void {
    const size = T.SPAN_HEAD + attributesMax + OTHER_FIELDS_MAX;
    if (this.ints.length !== size) this.ints = new Int32Array(size);
  }

  begin(head: number): Int32Array {
    this.#valuesBefore = this.values.count;
    this.length = head;
    this.isFull = false;
    return this.ints;
  }

  /** Fails when the numbers of fields and values differ: every later span would be read wrong. */
  check(head: number): void {
    assert(
      this.values.count - this.#valuesBefore === this.length - head,
      'fields of a template and their values differ',
    );
  }

  push(field: number, a: number, b: number): void {
    if (this.length === this.ints.length) {
      this.isFull = true;
      return;
    }
    this.ints[this.length++] = field;
    this.values.push(a, b);
  }
}

/** Starts and ends of byte ranges. Emptied by setting the count, it keeps its memory: there are children in every other span. */
class Ranges {
  readonly bounds: number[] = [];
  count = 0;

  push(start: number, end: number): void {
    this.bounds[2 * this.count] = start;
    this.bounds[2 * this.count + 1] = end;
    this.count++;
  }
}

export class FieldScanner {
  readonly #batch: SpanBatch;
  readonly #span: Sequence;
  readonly #event: Sequence;
  readonly #link: Sequence;
  #bytes: Uint8Array = NO_BYTES;
  #attribute = new WireReader(NO_BYTES);
  #any = new WireReader(NO_BYTES);
  #child = new WireReader(NO_BYTES);
  readonly #raw = new ByteWriter();
  /** Key ids by a cheap mix of length and three bytes: finds most keys with one comparison, without a full hash. */
  readonly #keys = new Int32Array(KEY_CACHE_SLOTS).fill(-1);
  readonly #deferredEvents = new Ranges();
  readonly #deferredLinks = new Ranges();
  #attributes = 0;
  #attributesMax = 0;
  #childrenMax = 0;
  #hasFullChild = false;
  #isTooDeep = false;
  #hasManyChildren = false;
  #type = 0;
  #a = 0;
  #b = 0;

  constructor(batch: SpanBatch) {
    this.#batch = batch;
    this.#span = new Sequence(batch.values);
    this.#event = new Sequence(batch.events.values);
    this.#link = new Sequence(batch.links.values);
  }

  /** Forgets the cached ids, after the batch was cleared. */
  clear(): void {
    this.#keys.fill(-1);
  }

  /** Begins a new request, which is in the arena `bytes`. */
  begin(bytes: Uint8Array, attributesMax: number, childrenMax: number): void {
    this.#attributesMax = attributesMax;
    this.#childrenMax = childrenMax;
    for (const sequence of [this.#span, this.#event, this.#link]) sequence.reserve(attributesMax);
    this.#bytes = bytes;
    this.#attribute = new WireReader(bytes);
    this.#any = new WireReader(bytes);
    this.#child = new WireReader(bytes);
  }

  beginSpan(): Int32Array {
    this.#attributes = 0;
    this.#hasFullChild = this.#hasManyChildren = this.#isTooDeep = false;
    this.#deferredEvents.count = this.#deferredLinks.count = 0;
    return this.#span.begin(T.SPAN_HEAD);
  }

  /** Why to reject the span: too many attributes (also in an event or link), too many children, too deep a value. */
  get refusal(): RejectReason | undefined {
    if (this.#hasManyChildren) return 'too_large';
    const isOver = this.#attributes > this.#attributesMax || this.#span.isFull || this.#hasFullChild;
    return isOver ? 'too_many_attributes' : this.#isTooDeep ? 'too_deep' : undefined;
  }

  internName(start: number, end: number): number {
    return this.#batch.strings.intern(this.#bytes, start, end);
  }

  internSpan(): number {
    this.#span.check(T.SPAN_HEAD);
    return this.#batch.spanTemplates.intern(this.#span.ints, this.#span.length);
  }

  scanAttribute(start: number, end: number): void {
    // The span will be rejected, so save the work.
    if (++this.#attributes > this.#attributesMax) return;
    this.#scanKeyValue(this.#span, start, end);
  }

  pushRange(field: number, type: number, start: number, end: number): void {
    this.#span.push(T.intrinsicField(field, type), start, end - start);
  }

  pushInt(field: number, lo: number, hi: number): void {
    this.#span.push(T.intrinsicField(field, T.TYPE_INT), lo, hi);
  }

  /** Stores the range of an event (or link) for scanDeferred(). */
  defer(isEvent: boolean, start: number, end: number): void {
    const deferred = isEvent ? this.#deferredEvents : this.#deferredLinks;
    if (deferred.count < this.#childrenMax) deferred.push(start, end);
    else this.#hasManyChildren = true;
  }

  /** Scans rare span fields: trace state, dropped counts, and fields of a newer OTLP. */
  scanRareSpanField(reader: WireReader): void {
    const { field } = reader;
    if (field === 3) {
      reader.expect(WIRE_BYTES, 'Span.trace_state');
      if (reader.valueEnd > reader.valueStart)
        this.pushRange(T.FIELD_TRACE_STATE, T.TYPE_STRING, reader.valueStart, reader.valueEnd);
    } else if (field === 10 || field === 12 || field === 14) {
      reader.expect(WIRE_VARINT, 'Span.dropped_*_count');
      if (reader.lo !== 0) this.pushInt(T.FIELD_DROPPED_ATTRIBUTES + (field - 10) / 2, reader.lo, 0);
    } else this.pushRange(T.FIELD_EXTRA, T.TYPE_BYTES, reader.fieldStart, reader.pos);
  }

  #scanKeyValue(into: Sequence, start: number, end: number): void {
    if (this.#scanPlainKeyValue(into, start, end)) return;
    const reader = this.#attribute.reset(start, end);
    let keyStart = 0;
    let keyEnd = 0;
    this.#set(T.TYPE_ABSENT, 0, 0);
    while (reader.next()) {
      if (reader.field > 2) continue;
      reader.expect(WIRE_BYTES, 'KeyValue');
      if (reader.field === 1) {
        keyStart = reader.valueStart;
        keyEnd = reader.valueEnd;
      } else this.#scanAnyValue(reader.valueStart, reader.valueEnd);
    }
    into.push(T.attributeField(this.#internKey(keyStart, keyEnd), this.#type), this.#a, this.#b);
  }

  /**
   * Scans the wire form of nearly every attribute: short key, then a value that is one string of less than 16 KiB, one
   * small int or one bool, minimal lengths, nothing after it. For anything else it changes nothing and returns false.
   * Makes the scan a quarter faster (1.8 to 1.4 us a span of the shop workload, one thread).
   */
  #scanPlainKeyValue(into: Sequence, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const keyStart = start + 2;
    const keyEnd = keyStart + bytes[start + 1]!;
    if (bytes[start] !== 0x0a || bytes[start + 1]! > 127 || keyEnd + 4 > end || bytes[keyEnd] !== 0x12) return false;
    let pos = keyEnd + 1;
    let size = bytes[pos++]!;
    if (size > 127) {
      if (bytes[pos]! > 127) return false;
      size = (size & 127) | (bytes[pos++]! << 7);
    }
    if (pos + size !== end) return false;
    const type = plainType(bytes, pos, end);
    if (type === T.TYPE_ABSENT) return false;
    const field = T.attributeField(this.#internKey(keyStart, keyEnd), type);
    if (type === T.TYPE_STRING) {
      pos += bytes[pos + 1]! > 127 ? 3 : 2;
      into.push(field, pos, end - pos);
    } else into.push(field, type === T.TYPE_BOOL && bytes[pos + 1] !== 0 ? 1 : bytes[pos + 1]!, 0);
    return true;
  }

  #internKey(start: number, end: number): number {
    const bytes = this.#bytes;
    const size = end - start;
    const mixed = size + bytes[start + (size >> 1)]! * 31 + bytes[end - 1]! * 257 + bytes[start + (size >> 2)]! * 1031;
    const slot = mixed & (KEY_CACHE_SLOTS - 1);
    const known = this.#keys[slot]!;
    if (known >= 0 && this.#batch.strings.equals(known, bytes, start, end)) return known;
    return (this.#keys[slot] = this.#batch.strings.intern(bytes, start, end));
  }

  #scanAnyValue(start: number, end: number): void {
    const reader = this.#any.reset(start, end);
    this.#type = T.TYPE_EMPTY;
    this.#a = this.#b = 0;
    while (reader.next()) {
      switch (reader.field) {
        case STRING:
        case BYTES:
          reader.expect(WIRE_BYTES, 'AnyValue');
          this.#set(
            reader.field === STRING ? T.TYPE_STRING : T.TYPE_BYTES,
            reader.valueStart,
            reader.valueEnd - reader.valueStart,
          );
          break;
        case BOOL:
          reader.expect(WIRE_VARINT, 'AnyValue.bool_value');
          this.#set(T.TYPE_BOOL, reader.lo === 0 && reader.hi === 0 ? 0 : 1, 0);
          break;
        case INT:
          reader.expect(WIRE_VARINT, 'AnyValue.int_value');
          this.#set(T.TYPE_INT, reader.lo, reader.hi);
          break;
        case DOUBLE:
          reader.expect(WIRE_FIXED64, 'AnyValue.double_value');
          this.#set(T.TYPE_DOUBLE, reader.lo, reader.hi);
          break;
        default:
          this.#scanRaw(start, end);
          return;
      }
    }
  }

  #set(type: number, a: number, b: number): void {
    this.#type = type;
    this.#a = a;
    this.#b = b;
  }

  /** Stores lists, maps and newer OTLP fields whole, as canonical AnyValue bytes after the request in the arena. */
  #scanRaw(start: number, end: number): void {
    const out = this.#raw;
    out.length = 0;
    if (!writeCanonicalAnyValue(out, new WireReader(this.#bytes, start, end), 1)) {
      this.#isTooDeep = true;
      return;
    }
    this.#set(T.TYPE_RAW, this.#batch.appendArena(out.bytes, 0, out.length), out.length);
  }

  /** Scans the events and links of the span with the given start; returns its presence bits for them. */
  scanDeferred(startLo: number, startHi: number): number {
    if (this.#hasManyChildren) return 0;
    const events = this.#deferredEvents;
    const links = this.#deferredLinks;
    for (let i = 0; i < events.count; i++)
      this.#scanEvent(events.bounds[2 * i]!, events.bounds[2 * i + 1]!, startLo, startHi);
    for (let i = 0; i < links.count; i++) this.#scanLink(links.bounds[2 * i]!, links.bounds[2 * i + 1]!);
    return (events.count > 0 ? T.HAS_EVENTS : 0) | (links.count > 0 ? T.HAS_LINKS : 0);
  }

  #scanEvent(start: number, end: number, startLo: number, startHi: number): void {
    const { events, eventTemplates } = this.#batch;
    const into = this.#event;
    const ints = into.begin(T.EVENT_HEAD);
    const valuesBefore = events.values.count;
    const reader = this.#child.reset(start, end);
    let nameStart = 0;
    let nameEnd = 0;
    let lo = 0;
    let hi = 0;
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          reader.expect(WIRE_FIXED64, 'Event.time_unix_nano');
          lo = reader.lo;
          hi = reader.hi;
          break;
        case 2:
          reader.expect(WIRE_BYTES, 'Event.name');
          nameStart = reader.valueStart;
          nameEnd = reader.valueEnd;
          break;
        case 3:
          reader.expect(WIRE_BYTES, 'Event.attributes');
          this.#scanKeyValue(into, reader.valueStart, reader.valueEnd);
          break;
        default:
          this.#scanRareChildField(into, 4);
      }
    }
    ints[T.EVENT_NAME] = this.internName(nameStart, nameEnd);
    const high = hi - startHi;
    const isExact = high > -T.EXACT_HIGH_WORD_MAX && high < T.EXACT_HIGH_WORD_MAX;
    if (!isExact) into.push(T.intrinsicField(T.FIELD_TIME, T.TYPE_INT), lo, hi);
    into.check(T.EVENT_HEAD);
    this.#hasFullChild ||= into.isFull;
    events.push(
      eventTemplates.intern(ints, into.length),
      isExact ? high * 4294967296 + (lo - startLo) : 0,
      valuesBefore,
    );
  }

  #scanLink(start: number, end: number): void {
    const { links, linkTemplates } = this.#batch;
    const into = this.#link;
    const ints = into.begin(T.LINK_HEAD);
    ints[T.LINK_PRESENCE] = ints[T.LINK_FLAGS] = 0;
    const valuesBefore = links.values.count;
    const at = this.#batch.reserveLink();
    const ids = this.#batch.linkIds;
    ids.fill(0, at, at + 6);
    const reader = this.#child.reset(start, end);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
        case 2:
          reader.expect(WIRE_BYTES, 'Link ids');
          ints[T.LINK_PRESENCE]! |= this.#scanLinkId(into, reader, ids, at);
          break;
        case 3:
          reader.expect(WIRE_BYTES, 'Link.trace_state');
          into.push(
            T.intrinsicField(T.FIELD_TRACE_STATE, T.TYPE_STRING),
            reader.valueStart,
            reader.valueEnd - reader.valueStart,
          );
          break;
        case 4:
          reader.expect(WIRE_BYTES, 'Link.attributes');
          this.#scanKeyValue(into, reader.valueStart, reader.valueEnd);
          break;
        case 6:
          reader.expect(WIRE_FIXED32, 'Link.flags');
          ints[T.LINK_FLAGS] = reader.lo;
          break;
        default:
          this.#scanRareChildField(into, 5);
      }
    }
    into.check(T.LINK_HEAD);
    this.#hasFullChild ||= into.isFull;
    links.push(linkTemplates.intern(ints, into.length), 0, valuesBefore);
  }

  /** Ids of the usual lengths go to the id columns; an id of another length is stored unchanged, in a field. */
  #scanLinkId(into: Sequence, reader: WireReader, ids: Uint32Array, at: number): number {
    const isTrace = reader.field === 1;
    const size = reader.valueEnd - reader.valueStart;
    if (size !== (isTrace ? 16 : 8)) {
      const field = isTrace ? T.FIELD_LINK_TRACE_ID : T.FIELD_LINK_SPAN_ID;
      into.push(T.intrinsicField(field, T.TYPE_BYTES), reader.valueStart, size);
      return 0;
    }
    const view = new Uint8Array(ids.buffer, (at + (isTrace ? 0 : 4)) * 4, size);
    view.set(reader.value());
    return isTrace ? T.HAS_LINK_TRACE_ID : T.HAS_LINK_SPAN_ID;
  }

  #scanRareChildField(into: Sequence, droppedField: number): void {
    const reader = this.#child;
    if (reader.field === droppedField) {
      reader.expect(WIRE_VARINT, 'dropped_attributes_count');
      if (reader.lo !== 0) into.push(T.intrinsicField(T.FIELD_DROPPED_ATTRIBUTES, T.TYPE_INT), reader.lo, 0);
    } else into.push(T.intrinsicField(T.FIELD_EXTRA, T.TYPE_BYTES), reader.fieldStart, reader.pos - reader.fieldStart);
  }
}

/** The type of the AnyValue [pos, end) if it is the one plain field that scanPlainKeyValue reads, else TYPE_ABSENT. */
function plainType(bytes: Uint8Array, pos: number, end: number): number {
  const tag = bytes[pos];
  const size = bytes[pos + 1]!;
  if (tag === 0x0a) {
    if (size < 128) return pos + 2 + size === end ? T.TYPE_STRING : T.TYPE_ABSENT;
    const high = bytes[pos + 2]!;
    return high < 128 && pos + 3 + ((size & 127) | (high << 7)) === end ? T.TYPE_STRING : T.TYPE_ABSENT;
  }
  if (pos + 2 !== end || size > 127) return T.TYPE_ABSENT;
  return tag === 0x18 ? T.TYPE_INT : tag === 0x10 ? T.TYPE_BOOL : T.TYPE_ABSENT;
}
