// One trace as spans of jaeger.api_v2, Jaeger's legacy model in protobuf (contract/jaeger.md §5.1): the content of its legacy
// JSON, with times in nanoseconds and every number exact. Written by hand, because a trace of 100,000 spans has millions of
// fields.
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { V_BINARY, V_BOOL, V_FLOAT64, V_INT64 } from '../../otlp/jaeger-to-request.ts';
import { BOOL, BYTES, DOUBLE, INT, STRING } from '../../trace/any-value.ts';
import { textOf, type Attribute } from '../../trace/attributes.ts';
import { adjustInTurns } from './jaeger-adjusters.ts';
import type { ReferenceView } from './jaeger-references.ts';
import { processTags, readJaegerSpan } from './jaeger-span.ts';
import type { ResourceView, SpanView, TraceView } from './trace-view.ts';

/** Jaeger sends at most this many, and its clients were written for that. */
const CHUNK_SPANS_MAX = 10;
/** gRPC clients take 4 MiB by default; a single span may be larger. */
const CHUNK_BYTES_MAX = 3 << 20;

const FOLLOWS_FROM = 1;
const NS_PER_SECOND = 1_000_000_000n;

/**
 * The trace as messages of SpansResponseChunk; some yielded values are TURN, which is empty. `isRaw` skips Jaeger's adjusters
 * and their warnings, but not its sanitizers. A view can be written only once, because adjusting changes it.
 */
export function* jaegerSpanChunks(trace: TraceView, isRaw: boolean): Generator<Uint8Array, void, undefined> {
  if (!isRaw) yield* adjustInTurns(trace);
  const encoder = new SpanEncoder(trace, isRaw);
  const chunk = new ByteWriter(16_384);
  let spans = 0;
  for (const span of trace.spans()) {
    const bytes = encoder.encode(span);
    if (spans === CHUNK_SPANS_MAX || (spans > 0 && chunk.length + bytes.length > CHUNK_BYTES_MAX)) {
      yield chunk.take();
      spans = 0;
    }
    chunk.bytesField(1, bytes);
    spans++;
  }
  if (spans > 0) yield chunk.take();
}

class SpanEncoder {
  readonly #out = new ByteWriter();
  readonly #trace: TraceView;
  readonly #traceId: Buffer;
  readonly #isRaw: boolean;
  readonly #processes = new Map<ResourceView, Uint8Array>();

  constructor(trace: TraceView, isRaw: boolean) {
    this.#trace = trace;
    this.#traceId = traceIdBytes(trace.traceId);
    this.#isRaw = isRaw;
  }

  /** The Span message, valid until the next call. */
  encode(span: SpanView): Uint8Array {
    const { name, references, tags, logs, warnings } = readJaegerSpan(this.#trace, span, this.#isRaw);
    const process = this.#process(span.resource);
    const out = this.#out;
    out.length = 0;
    out.bytesField(1, this.#traceId);
    out.bytesField(2, Buffer.from(span.spanId, 'hex'));
    this.#text(3, name);
    for (const reference of references) this.#reference(reference);
    this.#time(6, span.startNs);
    this.#time(7, span.endNs - span.startNs);
    for (const tag of tags) this.#tag(8, tag);
    for (const log of logs) {
      out.tag(9, 2);
      const at = out.beginMessage();
      this.#time(1, log.timeNs);
      for (const field of log.fields) this.#tag(2, field);
      out.endMessage(at);
    }
    out.bytesField(10, process);
    for (const warning of warnings) out.stringField(12, warning);
    return out.view();
  }

  #process(resource: ResourceView): Uint8Array {
    let bytes = this.#processes.get(resource);
    if (bytes === undefined) {
      const out = this.#out;
      out.length = 0;
      if (resource.service !== '') out.stringField(1, resource.service);
      for (const tag of processTags(resource, this.#isRaw)) this.#tag(2, tag);
      bytes = out.take();
      this.#processes.set(resource, bytes);
    }
    return bytes;
  }

  #reference({ traceId, spanId, isChildOf }: ReferenceView): void {
    const out = this.#out;
    out.tag(4, 2);
    const at = out.beginMessage();
    out.bytesField(1, traceIdBytes(traceId));
    out.bytesField(2, Buffer.from(spanId, 'hex'));
    if (!isChildOf) {
      out.tag(3, 0);
      out.varint(FOLLOWS_FROM);
    }
    out.endMessage(at);
  }

  /** A Timestamp or Duration; always present, as in Jaeger. */
  #time(field: number, ns: bigint): void {
    const out = this.#out;
    out.tag(field, 2);
    const at = out.beginMessage();
    this.#varint(1, ns / NS_PER_SECOND);
    this.#varint(2, ns % NS_PER_SECOND);
    out.endMessage(at);
  }

  /** Zero is proto3's default and is not written. */
  #varint(field: number, value: bigint): void {
    if (value === 0n) return;
    this.#out.tag(field, 0);
    this.#out.varint64(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)));
  }

  #tag(field: number, attribute: Attribute): void {
    const out = this.#out;
    const { key, type, lo, hi } = attribute;
    out.tag(field, 2);
    const at = out.beginMessage();
    out.stringField(1, key);
    switch (type) {
      case BOOL:
        this.#type(V_BOOL);
        if (lo !== 0 || hi !== 0) {
          out.tag(4, 0);
          out.u8(1);
        }
        break;
      case INT:
        this.#type(V_INT64);
        if (lo !== 0 || hi !== 0) {
          out.tag(5, 0);
          out.varint64(lo, hi);
        }
        break;
      case DOUBLE:
        this.#type(V_FLOAT64);
        if (lo !== 0 || hi !== 0) {
          out.tag(6, 1);
          out.u64(lo, hi);
        }
        break;
      case BYTES:
        this.#type(V_BINARY);
        this.#range(7, attribute);
        break;
      default:
        this.#text(3, attribute);
    }
    out.endMessage(at);
  }

  #type(type: number): void {
    this.#out.tag(2, 0);
    this.#out.u8(type);
  }

  #text(field: number, attribute: Attribute): void {
    if (attribute.type === STRING && attribute.own === undefined) this.#range(field, attribute);
    else this.#field(field, Buffer.from(textOf(this.#trace.bytes, attribute)));
  }

  #range(field: number, { lo, hi, own }: Attribute): void {
    if (own === undefined) this.#field(field, this.#trace.bytes.subarray(lo, hi));
    else this.#field(field, typeof own === 'string' ? Buffer.from(own) : own);
  }

  #field(field: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#out.bytesField(field, bytes);
  }
}

/** 16 bytes of an id in the legacy form. */
function traceIdBytes(text: string): Buffer {
  return Buffer.from(text.padStart(32, '0'), 'hex');
}
