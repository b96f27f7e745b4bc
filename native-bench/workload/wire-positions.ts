// Where ids, times and UUIDs lie in the bytes of an ExportTraceServiceRequest. All of them have a fixed size, so a request can be
// given other ones in place, without decoding and encoding it. Found once per request, used for every replica.
import { WIRE_BYTES, WIRE_FIXED64, WireReader } from '../../src/bytes/wire-reader.ts';

export interface WirePositions {
  /** Offsets of 16-byte trace ids (spans and links), not all zero. */
  readonly traceIds: readonly number[];
  /** Offsets of 8-byte span ids (span, parent, links), not all zero. */
  readonly spanIds: readonly number[];
  /** Offsets of little-endian times (start, end, events), not zero: zero means "unset" and stays so. */
  readonly times: readonly number[];
  /** Offsets of 36-character UUID texts inside string attribute values. */
  readonly uuids: readonly number[];
  /** The latest span end in the request; 0n when it has no span. */
  readonly newestNs: bigint;
}

/** What one span is made of, by field number: opentelemetry-proto trace/v1/trace.proto. */
const spanField = { traceId: 1, spanId: 2, parentSpanId: 4, start: 7, end: 8, attributes: 9, events: 11, links: 13 };

class Collector {
  readonly traceIds: number[] = [];
  readonly spanIds: number[] = [];
  readonly times: number[] = [];
  readonly uuids: number[] = [];
  newestNs = 0n;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  span(start: number, end: number): void {
    const r = new WireReader(this.#bytes, start, end);
    while (r.next()) {
      if (r.field === spanField.traceId) this.#id(r, 16);
      else if (r.field === spanField.spanId || r.field === spanField.parentSpanId) this.#id(r, 8);
      else if (r.field === spanField.start || r.field === spanField.end) this.#time(r, r.field === spanField.end);
      else if (r.field === spanField.attributes) this.attribute(r.valueStart, r.valueEnd);
      else if (r.field === spanField.events) this.#event(r.valueStart, r.valueEnd);
      else if (r.field === spanField.links) this.#link(r.valueStart, r.valueEnd);
    }
  }

  /** A KeyValue: its value, when it is a string. */
  attribute(start: number, end: number): void {
    const r = new WireReader(this.#bytes, start, end);
    while (r.next()) {
      if (r.field !== 2 || r.wire !== WIRE_BYTES) continue;
      const any = new WireReader(this.#bytes, r.valueStart, r.valueEnd);
      while (any.next()) if (any.field === 1 && any.wire === WIRE_BYTES) this.#uuidsIn(any.valueStart, any.valueEnd);
    }
  }

  #event(start: number, end: number): void {
    const r = new WireReader(this.#bytes, start, end);
    while (r.next()) {
      if (r.field === 1) this.#time(r, false);
      else if (r.field === 3) this.attribute(r.valueStart, r.valueEnd);
    }
  }

  #link(start: number, end: number): void {
    const r = new WireReader(this.#bytes, start, end);
    while (r.next()) {
      if (r.field === 1) this.#id(r, 16);
      else if (r.field === 2) this.#id(r, 8);
      else if (r.field === 4) this.attribute(r.valueStart, r.valueEnd);
    }
  }

  // An id of another length, or all zero, is invalid and must stay as invalid as it was.
  #id(r: WireReader, size: 8 | 16): void {
    if (r.wire !== WIRE_BYTES || r.valueEnd - r.valueStart !== size || r.value().every((byte) => byte === 0)) return;
    (size === 16 ? this.traceIds : this.spanIds).push(r.valueStart);
  }

  #time(r: WireReader, isEnd: boolean): void {
    if (r.wire !== WIRE_FIXED64 || (r.lo === 0 && r.hi === 0)) return;
    this.times.push(r.pos - 8);
    if (isEnd && r.uint64() > this.newestNs) this.newestNs = r.uint64();
  }

  #uuidsIn(start: number, end: number): void {
    const bytes = this.#bytes;
    for (let at = start; at + 36 <= end;) {
      if (isUuidAt(bytes, at)) {
        this.uuids.push(at);
        at += 36;
      } else at++;
    }
  }
}

/** Throws INVALID_REQUEST when the body is not protobuf. */
export function findWirePositions(body: Uint8Array): WirePositions {
  const found = new Collector(body);
  // request.resource_spans = 1, resource_spans.scope_spans = 2, scope_spans.spans = 2
  visitMessages(new WireReader(body), 1, (resourceSpans) => {
    visitMessages(resourceSpans, 2, (scopeSpans) => {
      visitMessages(scopeSpans, 2, (span) => found.span(span.pos, span.end));
    });
  });
  return found;
}

/** Visits the sub-messages with number `field`, each as a reader of its own range. */
function visitMessages(reader: WireReader, field: number, visit: (message: WireReader) => void): void {
  while (reader.next()) {
    if (reader.field === field && reader.wire === WIRE_BYTES) {
      visit(new WireReader(reader.bytes, reader.valueStart, reader.valueEnd));
    }
  }
}

/** The distinct trace ids in a request, as hex. */
export function traceIdsOf(body: Uint8Array): Set<string> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return new Set(findWirePositions(body).traceIds.map((at) => bytes.toString('hex', at, at + 16)));
}

const dash = 0x2d;

/** 8-4-4-4-12 lower-case hex digits. */
function isUuidAt(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 8] !== dash || bytes[at + 13] !== dash || bytes[at + 18] !== dash || bytes[at + 23] !== dash)
    return false;
  for (let i = 0; i < 36; i++) {
    const byte = bytes[at + i] ?? 0;
    const isDash = i === 8 || i === 13 || i === 18 || i === 23;
    const isHex = (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66);
    if (!isDash && !isHex) return false;
  }
  return true;
}
