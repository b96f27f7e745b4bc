// The scan: one forward pass over the wire bytes of an ExportTraceServiceRequest, straight into the columns of a
// SpanBatch. Values stay where they are (the body becomes part of the batch's arena); keys, names, resources and scopes
// are interned; everything a span has in common with others becomes one template id. No object per span is made.
// The request is atomic: whatever is malformed anywhere in it throws INVALID_REQUEST and leaves the batch as it was.
import { limits } from '../base/limits.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { WireReader, WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import type { RejectReason, WriteResult } from '../trace/store.ts';
import * as T from '../trace/templates.ts';
import { writeCanonicalDescriptor, RESOURCE_LAYOUT, SCOPE_LAYOUT, type DescriptorLayout } from './canonical.ts';
import { DayClock } from './day-clock.ts';
import { FieldScanner } from './scan-fields.ts';

/** Span starts accepted, ns since the epoch, both inclusive; outside the span is rejected by name. */
export interface ScanBounds {
  readonly startMinNs: bigint;
  readonly startMaxNs: bigint;
}

const scanners = new WeakMap<SpanBatch, RequestScanner>();

/** Appends the spans of `body` to `batch`. Throws INVALID_REQUEST when it is malformed: nothing of it is appended then. */
export function scanRequest(batch: SpanBatch, body: Uint8Array, bounds: ScanBounds): WriteResult {
  let scanner = scanners.get(batch);
  if (scanner === undefined) {
    scanner = new RequestScanner(batch);
    scanners.set(batch, scanner);
  }
  const { rowCount, arenaLength } = batch;
  try {
    return scanner.scan(body, bounds);
  } catch (error) {
    batch.truncate(rowCount);
    batch.arenaLength = arenaLength;
    throw error;
  }
}

/** Descriptors seen on the wire, raw bytes → canonical descriptor id, so that each is made canonical once. */
class DescriptorCache {
  readonly #raw = new ByteTable();
  readonly #ids = new Map<number, number>();
  readonly #writer = new ByteWriter();
  readonly #table: ByteTable;
  readonly #layout: DescriptorLayout;

  constructor(table: ByteTable, layout: DescriptorLayout) {
    this.#table = table;
    this.#layout = layout;
  }

  clear(): void {
    this.#raw.clear();
    this.#ids.clear();
  }

  /** `start` < 0: the message is absent. */
  find(bytes: Uint8Array, start: number, end: number, schema: { start: number; end: number }): number {
    const raw = start < 0 ? 0 : 1 + this.#raw.intern(bytes, start, end);
    const key = raw * 0x1000000 + this.#raw.intern(bytes, schema.start, schema.end);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const out = this.#writer;
    out.length = 0;
    out.u8(start < 0 ? 0 : 1);
    out.varint(schema.end - schema.start);
    out.rawRange(bytes, schema.start, schema.end);
    if (start >= 0) writeCanonicalDescriptor(out, bytes, { start, end }, this.#layout);
    const id = this.#table.intern(out.bytes, 0, out.length);
    this.#ids.set(key, id);
    return id;
  }
}

class RequestScanner {
  readonly #batch: SpanBatch;
  readonly #resources: DescriptorCache;
  readonly #scopes: DescriptorCache;
  readonly #fields: FieldScanner;
  readonly #clock = new DayClock();
  #span = new WireReader(new Uint8Array(0));
  #status = new WireReader(new Uint8Array(0));
  #generation = -1;
  #rejected = new Map<RejectReason, number>();
  #stored = 0;

  constructor(batch: SpanBatch) {
    this.#batch = batch;
    this.#resources = new DescriptorCache(batch.resources, RESOURCE_LAYOUT);
    this.#scopes = new DescriptorCache(batch.scopes, SCOPE_LAYOUT);
    this.#fields = new FieldScanner(batch);
  }

  scan(body: Uint8Array, bounds: ScanBounds): WriteResult {
    const batch = this.#batch;
    if (this.#generation !== batch.generation) {
      this.#generation = batch.generation;
      this.#resources.clear();
      this.#scopes.clear();
      this.#fields.clear();
    }
    this.#clock.setBounds(bounds);
    this.#rejected = new Map();
    this.#stored = 0;
    const start = batch.appendArena(body);
    const end = start + body.length;
    // Later appends may replace the arena with a larger copy: this one keeps holding the body at the same offsets.
    const bytes = batch.arena;
    this.#span = new WireReader(bytes);
    this.#status = new WireReader(bytes);
    this.#fields.begin(bytes);
    const reader = new WireReader(bytes, start, end);
    while (reader.next()) {
      if (reader.field !== 1) continue;
      reader.expect(WIRE_BYTES, 'ExportTraceServiceRequest.resource_spans');
      this.#scanResourceSpans(bytes, reader.valueStart, reader.valueEnd);
    }
    return { stored: this.#stored, rejected: this.#rejected };
  }

  /** Two passes: protobuf allows the resource behind its scope spans. The first only hops over lengths. */
  #scanResourceSpans(bytes: Uint8Array, start: number, end: number): void {
    const reader = new WireReader(bytes, start, end);
    const resource = this.#findDescriptor(reader, 'Resource', this.#resources);
    reader.reset(start, end);
    while (reader.next()) {
      if (reader.field === 2) this.#scanScopeSpans(bytes, { start: reader.valueStart, end: reader.valueEnd, resource });
    }
  }

  #scanScopeSpans(bytes: Uint8Array, range: { start: number; end: number; resource: number }): void {
    const reader = new WireReader(bytes, range.start, range.end);
    const scope = this.#findDescriptor(reader, 'InstrumentationScope', this.#scopes);
    reader.reset(range.start, range.end);
    while (reader.next()) {
      if (reader.field === 2) this.#scanSpan(reader.valueStart, reader.valueEnd, range.resource, scope);
    }
  }

  /** Fields 1 (descriptor), 2 (what it describes) and 3 (schema URL) of ResourceSpans and ScopeSpans. */
  #findDescriptor(reader: WireReader, what: string, cache: DescriptorCache): number {
    let start = -1;
    let end = 0;
    const schema = { start: 0, end: 0 };
    while (reader.next()) {
      if (reader.field > 3) continue;
      reader.expect(WIRE_BYTES, what);
      if (reader.field === 1) [start, end] = [reader.valueStart, reader.valueEnd];
      else if (reader.field === 3) [schema.start, schema.end] = [reader.valueStart, reader.valueEnd];
    }
    return cache.find(reader.bytes, start, end, schema);
  }

  #reject(row: number, reason: RejectReason): void {
    this.#batch.truncate(row);
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
  }

  #scanSpan(start: number, end: number, resource: number, scope: number): void {
    const batch = this.#batch;
    const row = batch.beginRow();
    const fields = this.#fields;
    const reader = this.#span.reset(start, end);
    const { bytes } = reader;
    const sequence = fields.beginSpan();
    sequence[T.SPAN_RESOURCE] = resource;
    sequence[T.SPAN_SCOPE] = scope;
    sequence[T.SPAN_KIND] = 0;
    sequence[T.SPAN_STATUS] = 0;
    sequence[T.SPAN_FLAGS] = 0;
    let presence = 0;
    let nameStart = 0;
    let nameEnd = 0;
    let reason: RejectReason | undefined = end - start > limits.spanBytesMax ? 'too_large' : undefined;
    let hasTraceId = false;
    let hasSpanId = false;
    let hasParent = false;
    let startLo = 0;
    let startHi = 0;
    let endLo = 0;
    let endHi = 0;
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          reader.expect(WIRE_BYTES, 'Span.trace_id');
          hasTraceId = copyId(bytes, reader.valueStart, reader.valueEnd, batch.traceId, row * 4, 4);
          if (!hasTraceId) reason = 'invalid_trace_id';
          break;
        case 2:
          reader.expect(WIRE_BYTES, 'Span.span_id');
          hasSpanId = copyId(bytes, reader.valueStart, reader.valueEnd, batch.spanId, row * 2, 2);
          if (!hasSpanId) reason ??= 'invalid_span_id';
          break;
        case 4:
          reader.expect(WIRE_BYTES, 'Span.parent_span_id');
          if (reader.valueEnd === reader.valueStart) break;
          hasParent = true;
          if (!copyId(bytes, reader.valueStart, reader.valueEnd, batch.parentId, row * 2, 2)) {
            if (reader.valueEnd - reader.valueStart !== 8) reason ??= 'invalid_parent_span_id';
            else presence |= T.HAS_ZERO_PARENT;
          }
          break;
        case 5:
          reader.expect(WIRE_BYTES, 'Span.name');
          nameStart = reader.valueStart;
          nameEnd = reader.valueEnd;
          break;
        case 6:
          reader.expect(WIRE_VARINT, 'Span.kind');
          sequence[T.SPAN_KIND] = reader.lo;
          break;
        case 7:
          reader.expect(WIRE_FIXED64, 'Span.start_time_unix_nano');
          startLo = reader.lo;
          startHi = reader.hi;
          break;
        case 8:
          reader.expect(WIRE_FIXED64, 'Span.end_time_unix_nano');
          endLo = reader.lo;
          endHi = reader.hi;
          break;
        case 9:
          reader.expect(WIRE_BYTES, 'Span.attributes');
          fields.scanAttribute(reader.valueStart, reader.valueEnd);
          break;
        case 11:
          reader.expect(WIRE_BYTES, 'Span.events');
          fields.deferEvent(reader.valueStart, reader.valueEnd);
          break;
        case 13:
          reader.expect(WIRE_BYTES, 'Span.links');
          fields.deferLink(reader.valueStart, reader.valueEnd);
          break;
        case 15:
          reader.expect(WIRE_BYTES, 'Span.status');
          presence |= T.HAS_STATUS;
          this.#scanStatus(reader.valueStart, reader.valueEnd, sequence);
          break;
        case 16:
          reader.expect(WIRE_FIXED32, 'Span.flags');
          sequence[T.SPAN_FLAGS] = reader.lo;
          break;
        default:
          fields.scanRareSpanField(reader);
      }
    }
    if (!hasTraceId) reason = 'invalid_trace_id';
    else if (!hasSpanId) reason ??= 'invalid_span_id';
    if (!hasParent || (presence & T.HAS_ZERO_PARENT) !== 0) batch.parentId[row * 2] = batch.parentId[row * 2 + 1] = 0;
    sequence[T.SPAN_NAME] = fields.internName(nameStart, nameEnd);
    reason ??= this.#clock.place(batch, row, startLo, startHi);
    reason ??= fields.tooMany;
    this.#clock.setDuration(batch, row, { startLo, startHi, endLo, endHi }, fields);
    if (reason !== undefined) {
      fields.checkDeferred();
      this.#reject(row, reason);
      return;
    }
    sequence[T.SPAN_PRESENCE] = presence | fields.scanDeferred(startLo, startHi);
    batch.template[row] = fields.internSpan();
    batch.commitRow();
    this.#stored++;
  }

  #scanStatus(start: number, end: number, sequence: Int32Array): void {
    const reader = this.#status.reset(start, end);
    while (reader.next()) {
      if (reader.field === 2) {
        reader.expect(WIRE_BYTES, 'Status.message');
        this.#fields.pushRange(T.FIELD_STATUS_MESSAGE, T.TYPE_STRING, reader.valueStart, reader.valueEnd);
      } else if (reader.field === 3) {
        reader.expect(WIRE_VARINT, 'Status.code');
        sequence[T.SPAN_STATUS] = reader.lo;
      }
    }
  }
}

/** Copies an id of `words` × 4 bytes; false when its length is wrong or it is all zero. */
function copyId(bytes: Uint8Array, start: number, end: number, target: Uint32Array, at: number, words: number): boolean {
  if (end - start !== words * 4) return false;
  let any = 0;
  for (let word = 0, i = start; word < words; word++, i += 4) {
    const value = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    target[at + word] = value;
    any |= value;
  }
  return any !== 0;
}
