// The scan: one forward pass over the wire bytes of an ExportTraceServiceRequest, straight into the columns of a
// SpanBatch. Values stay in place (the body becomes part of the batch's arena); keys, names, resources and scopes are
// interned; properties that spans share become one template id. It makes no object per span. A request is atomic: if
// any part is malformed, the scan throws INVALID_REQUEST and leaves the batch as it was. It also does so if it stores
// no span. A scan can run in steps, so that a costly request does not delay others.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { utf8Slice } from '../bytes/json-writer.ts';
import { countFrom, WireReader, WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import type { RejectReason, WriteResult } from '../trace/store.ts';
import * as T from '../trace/templates.ts';
import { writeCanonicalDescriptor, RESOURCE_LAYOUT, SCOPE_LAYOUT, type DescriptorLayout } from './canonical.ts';
import { DayClock } from '../trace/day-clock.ts';
import { UNKNOWN_NAME_FIELD } from './json-schema.ts';
import { FieldScanner } from './scan-fields.ts';

/** Accepted span starts, ns since the epoch, both inclusive; spans outside are rejected. */
export interface ScanBounds {
  readonly startMinNs: bigint;
  readonly startMaxNs: bigint;
  /** Whether a day within the bounds may have spans; asked once per run of spans of one day. Default: any. */
  readonly acceptsDay?: (day: number) => boolean;
  /** Attributes of a span, and of an event or link; default: that of -insert.maxAttributesPerSpan. */
  readonly spanAttributesMax?: number | undefined;
  /** These bytes passed the limits before: they are the store's own, or out of the log of -ingestLog. */
  readonly isAccepted?: boolean;
  /** OTLP bytes of a span; default: that of -insert.maxSpanBytes. */
  readonly spanBytesMax?: number | undefined;
  /** Called with the place of each rejected span among the spans of the request, from 0. */
  readonly onRejected?: ((span: number) => void) | undefined;
}

/** Spans that were accepted once: the present bounds do not apply. */
export const ANY_SPAN: ScanBounds = {
  startMinNs: -(2n ** 63n),
  startMaxNs: 2n ** 63n - 1n,
  spanAttributesMax: limits.attributesPerSpanMost,
  spanBytesMax: Infinity,
  isAccepted: true,
};

const SPAN_ATTRIBUTES_MAX = 1_024;
const SPAN_BYTES_MAX: number = 4 << 20;
/** Characters of the report of an unknown field, whose place in the JSON may be long. */
const UNKNOWN_CHARS_MAX = 200;
/** Descriptor ids of a resource or scope that is too large, or nested too deep: its spans are rejected. */
const TOO_LARGE = -2;
const TOO_DEEP = -1;

const HAS_TRACE_ID = 1;
const HAS_SPAN_ID = 2;
const HAS_PARENT = 4;

/** Work is counted in bytes of usual spans; these are the fixed costs of a span and of a group (resource, scope). */
const SPAN_WORK = 64;
const GROUP_WORK = 512;
/** Any request may take this much memory in columns. */
const SPREAD_BYTES_MIN: number = 1 << 20;

const scanners = new WeakMap<SpanBatch, RequestScanner>();

/**
 * Appends the spans of `body` to `batch`. On an error it appends nothing: throws INVALID_REQUEST when the body is
 * malformed, LIMIT_EXCEEDED when it has too many groups or spans.
 */
export function scanRequest(batch: SpanBatch, body: Uint8Array, bounds: ScanBounds): WriteResult {
  const result = new RequestScan(batch, body, bounds).step(Infinity);
  assert(result !== undefined, 'a scan without a bound stopped half way');
  return result;
}

/** The scan of one request into a batch. Until it ends, nothing else may be appended to the batch. */
export class RequestScan {
  readonly #batch: SpanBatch;
  readonly #scanner: RequestScanner;
  readonly #rowCount: number;
  readonly #arenaLength: number;
  readonly #sizeBytes: number;
  readonly #bodyBytes: number;
  readonly #nameCount: number;
  readonly #isAccepted: boolean;

  constructor(batch: SpanBatch, body: Uint8Array, bounds: ScanBounds) {
    this.#batch = batch;
    this.#sizeBytes = batch.rowBytes;
    this.#bodyBytes = body.length;
    this.#isAccepted = bounds.isAccepted ?? false;
    this.#nameCount = batch.strings.count;
    this.#rowCount = batch.rowCount;
    this.#arenaLength = batch.arenaLength;
    let scanner = scanners.get(batch);
    if (scanner === undefined) scanners.set(batch, (scanner = new RequestScanner(batch)));
    this.#scanner = scanner;
    scanner.owner = this;
    scanner.begin(body, bounds);
  }

  /** Continues for `workMax` of work; returns the result at the end of the request. Throws as scanRequest. */
  step(workMax: number): WriteResult | undefined {
    assert(this.#scanner.owner === this, 'two requests at a time are scanned into one batch');
    try {
      const result = this.#scanner.step(workMax);
      const rows = this.#batch.rowCount - this.#rowCount;
      assert(result === undefined || result.stored === rows, 'rows of the batch and spans that were stored differ');
      if (!this.#isAccepted) this.#check();
      if (result?.stored === 0) this.undo();
      return result;
    } catch (error) {
      this.undo();
      // The body follows others in the arena; the client counts from the body's first byte.
      throw countFrom(this.#arenaLength, error);
    }
  }

  /** An empty event takes 2 bytes in the request but 16 in columns; a request that grows too much is not telemetry. */
  #check(): void {
    const { requestGroupsMax, requestNamesMax } = limits;
    if (this.#scanner.groups > requestGroupsMax) tooMany('resources and scopes', requestGroupsMax);
    const names = this.#batch.strings.count - this.#nameCount;
    if (names > requestNamesMax) tooMany('new names of spans, events and attributes', requestNamesMax);
    const sizeBytes = this.#batch.rowBytes - this.#sizeBytes;
    const max = SPREAD_BYTES_MIN + limits.requestSpreadMax * this.#bodyBytes;
    if (sizeBytes <= max) return;
    const found = `${this.#bodyBytes} bytes of spans take more than ${max} in memory`;
    throw new StoreError('LIMIT_EXCEEDED', `${found}: too many events, links or attributes without content; send less`);
  }

  /** Restores the batch to its state before the scan. */
  undo(): void {
    assert(this.#batch.rowCount >= this.#rowCount, 'a batch lost rows while it was scanned into');
    this.#batch.truncate(this.#rowCount);
    this.#batch.arenaLength = this.#arenaLength;
  }
}

/** Wire bytes of cached descriptors. Above it the cache is cleared: a client may encode one meaning in many ways. */
const RAW_BYTES_MAX: number = 4 << 20;
/** Number of cached descriptors: the resources of some thousand processes, each with its scopes. */
const RAW_COUNT_MAX = 1 << 16;

/** Cache of raw wire bytes → canonical descriptor id, so that each descriptor is canonicalised once. */
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
    if (this.#raw.sizeBytes > RAW_BYTES_MAX || this.#ids.size >= RAW_COUNT_MAX) this.clear();
    const raw = start < 0 ? 0 : 1 + this.#raw.intern(bytes, start, end);
    const key = raw * 0x1000000 + this.#raw.intern(bytes, schema.start, schema.end);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const out = this.#writer;
    out.length = 0;
    out.u8(start < 0 ? 0 : 1);
    out.varint(schema.end - schema.start);
    out.rawRange(bytes, schema.start, schema.end);
    const isTaken = start < 0 || writeCanonicalDescriptor(out, new WireReader(bytes, start, end), this.#layout);
    const id = isTaken ? this.#table.intern(out.bytes, 0, out.length) : TOO_DEEP;
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
  #onRejected: ScanBounds['onRejected'];
  #stored = 0;
  #spans = 0;
  /** The current or last request. */
  owner: RequestScan | undefined;
  /** Indexes, from 0, of the current resource and scope. */
  #resourceIndex = -1;
  #scopeIndex = -1;
  #unknownField: string | undefined;
  /** Positions of the scan: in the request, in the current resource, in the current scope. */
  #request = new WireReader(new Uint8Array(0));
  #resourceSpans = new WireReader(new Uint8Array(0));
  #scopeSpans = new WireReader(new Uint8Array(0));
  #resource = 0;
  #scope = 0;
  /** Number of resources and scopes so far. */
  groups = 0;
  /** Number of their fields. Counted while skipping over them, which cannot be interrupted. */
  #hops = 0;
  #hopsMax = 0;
  /** State of the span being scanned. */
  readonly #times = { startLo: 0, startHi: 0, endLo: 0, endHi: 0 };
  #ids = 0;
  #spanBytesMax = 0;
  #descriptorBytesMax = 0;
  #reason: RejectReason | undefined;

  constructor(batch: SpanBatch) {
    this.#batch = batch;
    this.#resources = new DescriptorCache(batch.resources, RESOURCE_LAYOUT);
    this.#scopes = new DescriptorCache(batch.scopes, SCOPE_LAYOUT);
    this.#fields = new FieldScanner(batch);
  }

  begin(body: Uint8Array, bounds: ScanBounds): void {
    const batch = this.#batch;
    if (this.#generation !== batch.generation) {
      this.#generation = batch.generation;
      this.#resources.clear();
      this.#scopes.clear();
      this.#fields.clear();
    }
    this.#clock.setBounds(bounds.startMinNs, bounds.startMaxNs, bounds.acceptsDay);
    this.#rejected = new Map();
    this.#onRejected = bounds.onRejected;
    this.#stored = this.#spans = this.groups = this.#hops = 0;
    this.#resourceIndex = this.#scopeIndex = -1;
    this.#unknownField = undefined;
    const start = batch.appendArena(body);
    // Later appends may replace the arena with a larger copy: this array still has the body at the same offsets.
    const bytes = batch.arena;
    this.#span = new WireReader(bytes);
    this.#status = new WireReader(bytes);
    const { isAccepted = false, spanAttributesMax = SPAN_ATTRIBUTES_MAX } = bounds;
    this.#fields.begin(bytes, spanAttributesMax, isAccepted ? Infinity : limits.childrenPerSpanMax);
    this.#hopsMax = isAccepted ? Infinity : limits.requestSpansMax;
    this.#descriptorBytesMax = isAccepted ? Infinity : limits.descriptorBytesMax;
    this.#spanBytesMax = bounds.spanBytesMax ?? SPAN_BYTES_MAX;
    this.#request = new WireReader(bytes, start, start + body.length);
    // Both are empty until a group is entered.
    this.#resourceSpans = new WireReader(bytes, start, start);
    this.#scopeSpans = new WireReader(bytes, start, start);
  }

  /** As RequestScan.step, but on an error part of the request stays in the batch. */
  step(workMax: number): WriteResult | undefined {
    for (let work = 0; work < workMax;) {
      const span = this.#scopeSpans;
      if (span.next()) {
        if (span.field === 2) this.#scanSpan(span.valueStart, span.valueEnd);
        work += SPAN_WORK + span.pos - span.fieldStart;
      } else {
        if (!this.#enterGroup()) return this.#result();
        work += GROUP_WORK;
      }
    }
    return undefined;
  }

  #result(): WriteResult {
    const result = { stored: this.#stored, rejected: this.#rejected };
    return this.#unknownField === undefined ? result : { ...result, unknownField: this.#unknownField };
  }

  /** Enters the next scope of the resource, else the next resource; false at the end of the request. */
  #enterGroup(): boolean {
    const scope = this.#resourceSpans;
    if (scope.next()) {
      if (scope.field === 2) this.#enterScope(scope.valueStart, scope.valueEnd);
      return true;
    }
    const resource = this.#request;
    if (!resource.next()) return false;
    if (resource.field !== 1) {
      this.#noteUnknown(resource, 'the request');
      return true;
    }
    resource.expect(WIRE_BYTES, 'ExportTraceServiceRequest.resource_spans');
    this.#enterResource(resource.valueStart, resource.valueEnd);
    return true;
  }

  /** Two passes: protobuf allows the resource after its scope spans. The first pass only skips over lengths. */
  #enterResource(start: number, end: number): void {
    const reader = this.#resourceSpans.reset(start, end);
    this.#resourceIndex++;
    this.#scopeIndex = -1;
    this.#resource = this.#findDescriptor(reader, 'Resource', this.#resources);
    reader.reset(start, end);
  }

  #enterScope(start: number, end: number): void {
    const reader = this.#scopeSpans.reset(start, end);
    this.#scopeIndex++;
    this.#scope = this.#findDescriptor(reader, 'InstrumentationScope', this.#scopes);
    reader.reset(start, end);
  }

  /** Fields 1 (descriptor), 2 (its content) and 3 (schema URL) of ResourceSpans and ScopeSpans. */
  #findDescriptor(reader: WireReader, what: string, cache: DescriptorCache): number {
    let start = -1;
    let end = 0;
    const schema = { start: 0, end: 0 };
    this.groups++;
    while (reader.next()) {
      if (++this.#hops > this.#hopsMax) tooMany('spans', this.#hopsMax);
      if (reader.field > 3) {
        this.#noteUnknown(reader, what);
        continue;
      }
      reader.expect(WIRE_BYTES, what);
      if (reader.field === 1) [start, end] = [reader.valueStart, reader.valueEnd];
      else if (reader.field === 3) [schema.start, schema.end] = [reader.valueStart, reader.valueEnd];
    }
    const sizeBytes = end - start + schema.end - schema.start;
    return sizeBytes > this.#descriptorBytesMax ? TOO_LARGE : cache.find(reader.bytes, start, end, schema);
  }

  /** Records the first unknown field of the request or of a group, which is not stored. */
  #noteUnknown({ bytes, field, wire, valueStart, valueEnd }: WireReader, inside: string): void {
    if (this.#unknownField !== undefined) return;
    const scope = this.#scopeIndex < 0 ? '' : `.scope_spans[${this.#scopeIndex}]`;
    const place = inside === 'the request' ? inside : `resource_spans[${this.#resourceIndex}]${scope}`;
    const isName = field === UNKNOWN_NAME_FIELD && wire === WIRE_BYTES;
    this.#unknownField = isName
      ? utf8Slice(bytes, valueStart, valueEnd).slice(0, UNKNOWN_CHARS_MAX)
      : `${field} in ${place}`;
  }

  #reject(row: number, reason: RejectReason): void {
    this.#batch.truncate(row);
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
    this.#onRejected?.(this.#spans - 1);
  }

  #scanSpan(start: number, end: number): void {
    const batch = this.#batch;
    const fields = this.#fields;
    const row = batch.beginRow();
    this.#spans++;
    // Not scanned, so that the work per span is bounded.
    if (end - start > this.#spanBytesMax) return this.#reject(row, 'too_large');
    const sequence = fields.beginSpan();
    sequence[T.SPAN_RESOURCE] = this.#resource;
    sequence[T.SPAN_SCOPE] = this.#scope;
    this.#reason = refusalOf(this.#resource) ?? refusalOf(this.#scope);
    this.#scanSpanFields(this.#span.reset(start, end), row, sequence);
    const times = this.#times;
    this.#reason ??= this.#clock.place(batch, row, times.startLo, times.startHi);
    this.#clock.setDuration(batch, row, times, fields);
    // Even for a span that will be rejected: a malformed event makes the whole request malformed.
    const children = fields.scanDeferred(times.startLo, times.startHi);
    this.#reason ??= fields.refusal;
    if (this.#reason !== undefined) {
      this.#reject(row, this.#reason);
      return;
    }
    sequence[T.SPAN_PRESENCE]! |= children;
    batch.template[row] = fields.internSpan();
    batch.commitRow();
    this.#stored++;
  }

  #scanSpanFields(reader: WireReader, row: number, sequence: Int32Array): void {
    const fields = this.#fields;
    const times = this.#times;
    sequence[T.SPAN_KIND] = sequence[T.SPAN_STATUS] = sequence[T.SPAN_PRESENCE] = sequence[T.SPAN_FLAGS] = 0;
    times.startLo = times.startHi = times.endLo = times.endHi = 0;
    this.#ids = 0;
    let nameStart = 0;
    let nameEnd = 0;
    while (reader.next()) {
      switch (reader.field) {
        case 1:
        case 2:
        case 4:
          reader.expect(WIRE_BYTES, 'Span ids');
          this.#scanId(reader, row, sequence);
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
          times.startLo = reader.lo;
          times.startHi = reader.hi;
          break;
        case 8:
          reader.expect(WIRE_FIXED64, 'Span.end_time_unix_nano');
          times.endLo = reader.lo;
          times.endHi = reader.hi;
          break;
        case 9:
          reader.expect(WIRE_BYTES, 'Span.attributes');
          fields.scanAttribute(reader.valueStart, reader.valueEnd);
          break;
        case 11:
        case 13:
          reader.expect(WIRE_BYTES, 'Span.events or links');
          fields.defer(reader.field === 11, reader.valueStart, reader.valueEnd);
          break;
        case 15:
          reader.expect(WIRE_BYTES, 'Span.status');
          sequence[T.SPAN_PRESENCE]! |= T.HAS_STATUS;
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
    sequence[T.SPAN_NAME] = fields.internName(nameStart, nameEnd);
    this.#checkIds(row);
  }

  #scanId(reader: WireReader, row: number, sequence: Int32Array): void {
    const batch = this.#batch;
    const size = reader.valueEnd - reader.valueStart;
    if (reader.field === 1) {
      if (copyId(reader, batch.traceId, row * 4, 4)) this.#ids |= HAS_TRACE_ID;
    } else if (reader.field === 2) {
      if (copyId(reader, batch.spanId, row * 2, 2)) this.#ids |= HAS_SPAN_ID;
    } else if (copyId(reader, batch.parentId, row * 2, 2)) this.#ids |= HAS_PARENT;
    else if (size === 8) sequence[T.SPAN_PRESENCE]! |= T.HAS_ZERO_PARENT;
    else if (size > 0) this.#reason ??= 'invalid_parent_span_id';
  }

  #checkIds(row: number): void {
    if ((this.#ids & HAS_PARENT) === 0) this.#batch.parentId[row * 2] = this.#batch.parentId[row * 2 + 1] = 0;
    if ((this.#ids & HAS_TRACE_ID) === 0) this.#reason = 'invalid_trace_id';
    else if ((this.#ids & HAS_SPAN_ID) === 0) this.#reason = 'invalid_span_id';
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

function tooMany(what: string, max: number): never {
  throw new StoreError('LIMIT_EXCEEDED', `the request has more than ${max} ${what}; send smaller batches`);
}

function refusalOf(descriptor: number): RejectReason | undefined {
  if (descriptor >= 0) return undefined;
  return descriptor === TOO_DEEP ? 'too_deep' : 'too_large';
}

/** Copies the id in the reader's value, `words` × 4 bytes; false when its length differs or it is all zero. */
function copyId(reader: WireReader, target: Uint32Array, at: number, words: number): boolean {
  const { bytes, valueStart } = reader;
  if (reader.valueEnd - valueStart !== words * 4) return false;
  let any = 0;
  for (let word = 0, i = valueStart; word < words; word++, i += 4) {
    const value = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    target[at + word] = value;
    any |= value;
  }
  return any !== 0;
}
