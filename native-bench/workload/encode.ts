// Generated spans → one OTLP ExportTraceServiceRequest, canonical protobuf (minimal lengths, fields in number order), grouped by
// resource and scope as an OpenTelemetry Collector batches them.
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from '../../src/bytes/wire-reader.ts';
import type {
  Attributes,
  AttributeValue,
  GeneratedEvent,
  GeneratedLink,
  GeneratedResource,
  GeneratedScope,
  GeneratedSpan,
} from './model.ts';

const TWO_32 = 4294967296;

export class RequestEncoder {
  readonly #writer: ByteWriter = new ByteWriter(1 << 20);
  readonly #resources: readonly GeneratedResource[];
  readonly #startLow: number;
  readonly #startHigh: number;

  /** `startNs` is the absolute time (nanoseconds since 1970) that the spans' offsets count from. */
  constructor(resources: readonly GeneratedResource[], startNs: bigint) {
    this.#resources = resources;
    this.#startLow = Number(startNs & 0xffffffffn);
    this.#startHigh = Number(startNs >> 32n);
  }

  encode(spans: readonly GeneratedSpan[]): Uint8Array<ArrayBuffer> {
    const w = this.#writer;
    for (const [index, list] of groupBy(spans, (span) => span.resource)) {
      const resource = this.#resources[index];
      if (resource === undefined) throw new Error(`BUG: resource ${index} does not exist`);
      message(w, 1, () => {
        message(w, 1, () => writeAttributes(w, 1, resource.attributes));
        for (const [scope, scopeSpans] of groupBy(list, (span) => span.scope)) this.#scopeSpans(scope, scopeSpans);
        writeString(w, 3, resource.schemaUrl ?? '');
      });
    }
    return w.take();
  }

  #scopeSpans(scope: GeneratedScope, spans: readonly GeneratedSpan[]): void {
    const w = this.#writer;
    message(w, 2, () => {
      message(w, 1, () => {
        writeString(w, 1, scope.name);
        writeString(w, 2, scope.version);
        if (scope.attributes !== undefined) writeAttributes(w, 3, scope.attributes);
      });
      for (const span of spans) message(w, 2, () => this.#span(span));
      writeString(w, 3, scope.schemaUrl ?? '');
    });
  }

  #span(span: GeneratedSpan): void {
    const w = this.#writer;
    w.bytesField(1, span.traceId);
    w.bytesField(2, span.spanId);
    writeString(w, 3, span.traceState);
    if (span.parentSpanId !== undefined) w.bytesField(4, span.parentSpanId);
    writeString(w, 5, span.name);
    writeCount(w, 6, span.kind);
    this.#time(7, span.startNs);
    this.#time(8, span.endNs);
    writeAttributes(w, 9, span.attributes);
    writeCount(w, 10, span.dropped[0]);
    for (const event of span.events) message(w, 11, () => this.#event(event));
    writeCount(w, 12, span.dropped[1]);
    for (const link of span.links) message(w, 13, () => writeLink(w, link));
    writeCount(w, 14, span.dropped[2]);
    if (span.statusCode !== 0) {
      message(w, 15, () => {
        writeString(w, 2, span.statusMessage);
        writeCount(w, 3, span.statusCode);
      });
    }
    writeFixed32(w, 16, span.flags);
  }

  #event(event: GeneratedEvent): void {
    const w = this.#writer;
    this.#time(1, event.timeNs);
    writeString(w, 2, event.name);
    writeAttributes(w, 3, event.attributes);
    writeCount(w, 4, event.droppedAttributes ?? 0);
  }

  #time(field: number, offsetNs: number): void {
    const low = this.#startLow + offsetNs;
    const carry = Math.floor(low / TWO_32);
    this.#writer.tag(field, WIRE_FIXED64);
    this.#writer.u64(low - carry * TWO_32, this.#startHigh + carry);
  }
}

function groupBy<T, K>(list: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of list) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function message(w: ByteWriter, field: number, body: () => void): void {
  w.message(field, body);
}

function writeLink(w: ByteWriter, link: GeneratedLink): void {
  w.bytesField(1, link.traceId);
  w.bytesField(2, link.spanId);
  writeString(w, 3, link.traceState ?? '');
  writeAttributes(w, 4, link.attributes);
  writeFixed32(w, 6, link.flags ?? 0);
}

function writeAttributes(w: ByteWriter, field: number, attributes: Attributes): void {
  for (const [key, value] of attributes) {
    w.tag(field, WIRE_BYTES);
    const start = w.beginMessage();
    writeString(w, 1, key);
    writeAnyValue(w, 2, value);
    w.endMessage(start);
  }
}

function writeAnyValue(w: ByteWriter, field: number, value: AttributeValue): void {
  w.tag(field, WIRE_BYTES);
  const start = w.beginMessage();
  if (typeof value === 'string') writeText(w, 1, value);
  else if (typeof value === 'boolean') writeVarint(w, 2, value ? 1n : 0n);
  else if (typeof value === 'number') writeInteger(w, 3, value);
  else if (value !== null) writeComposite(w, value);
  w.endMessage(start);
}

function writeComposite(w: ByteWriter, value: Exclude<AttributeValue, string | boolean | number | null>): void {
  if ('double' in value) {
    w.tag(4, WIRE_FIXED64);
    w.f64(value.double);
  } else if ('int64' in value) writeVarint(w, 3, value.int64);
  else if ('bytes' in value) w.bytesField(7, value.bytes);
  else if ('kvlist' in value) w.message(6, () => writeAttributes(w, 1, value.kvlist));
  else {
    w.message(5, () => {
      for (const item of value) writeAnyValue(w, 1, item);
    });
  }
}

function writeInteger(w: ByteWriter, field: number, value: number): void {
  if (value < 0) return writeVarint(w, field, BigInt(value));
  w.tag(field, WIRE_VARINT);
  w.varint(value);
}

function writeVarint(w: ByteWriter, field: number, value: bigint): void {
  const unsigned = BigInt.asUintN(64, value);
  w.tag(field, WIRE_VARINT);
  w.varint64(Number(unsigned & 0xffffffffn), Number(unsigned >> 32n));
}

/** Zero is proto3's default and is not written. */
function writeCount(w: ByteWriter, field: number, value: number): void {
  if (value === 0) return;
  w.tag(field, WIRE_VARINT);
  w.varint(value);
}

function writeFixed32(w: ByteWriter, field: number, value: number): void {
  if (value === 0) return;
  w.tag(field, WIRE_FIXED32);
  w.u32(value);
}

/** The empty string is proto3's default and is not written. */
function writeString(w: ByteWriter, field: number, text: string): void {
  if (text !== '') writeText(w, field, text);
}

// Most strings are short ASCII: a plain loop is several times faster than a Buffer per string (the generator must not be
// what a benchmark measures). The first other character restarts with the general way.
function writeText(w: ByteWriter, field: number, text: string): void {
  const size = text.length;
  const mark = w.length;
  if (size > 256) return w.stringField(field, text);
  w.tag(field, WIRE_BYTES);
  w.varint(size);
  w.reserve(size);
  const { bytes } = w;
  let at = w.length;
  for (let i = 0; i < size; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) {
      w.length = mark;
      return w.stringField(field, text);
    }
    bytes[at++] = code;
  }
  w.length = at;
}
