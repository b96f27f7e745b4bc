// One trace as Jaeger's legacy JSON, byte for byte as Jaeger v2.20 writes it (contract/jaeger.md §1.8, §4.2), with these
// differences on purpose: events come in time order, equal keys are all kept, NaN and infinities are strings instead of
// failing the answer, and warnings stay with their span when span ids are doubled. The same bytes in give the same out.
import { isUtf8Range, JsonWriter, quoteJson } from '../bytes/json-writer.ts';
import { WireReader, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import { doubleOf } from '../otlp/traces-to-json.ts';
import {
  byKeyBytes,
  bytesAttribute,
  DOUBLE,
  INT,
  LIST,
  listItems,
  readAttributes,
  STRING,
  textOf,
} from '../otlp/attributes.ts';
import type { Attribute } from '../otlp/attributes.ts';
import { adjustInTurns } from './jaeger-adjusters.ts';
import { lastRange } from './jaeger-model.ts';
import { readLink, writeReferences } from './jaeger-references.ts';
import type { LinkView } from './jaeger-references.ts';
import { textAttribute, writeTag } from './jaeger-tags.ts';
import type { ResourceView, SpanView, TraceView } from './trace-view.ts';

/** A chunk is yielded when it has grown to this. */
const CHUNK_BYTES = 65_536;
const WARNINGS_KEY = '@jaeger@warnings';
const KIND_NAMES = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

/** The name of an OTLP span kind in Jaeger's lists and tags; "" for unspecified and unknown ones. */
export function kindName(kind: number): string {
  return KIND_NAMES[kind] ?? '';
}

/** The OTLP span kind of such a name: 0 for "", -1 for what is none. */
export function kindNumber(name: string): number {
  return KIND_NAMES.indexOf(name);
}

/**
 * Writes the trace in UTF-8 chunks of about 64 KiB, some of them TURN, which is empty. `isRaw` leaves out what Jaeger's adjusters do, warnings included,
 * but not its sanitizers: names and durations are as usual. A view can be written once, because adjusting changes it.
 */
export function* jaegerTraceToJson(trace: TraceView, isRaw: boolean): Generator<Buffer, void, undefined> {
  if (!isRaw) yield* adjustInTurns(trace);
  const encoder = new TraceEncoder(trace, isRaw);
  const { out } = encoder;
  out.text(`{"traceID":"${trace.traceId}","spans":[`);
  let isFirst = true;
  for (const span of trace.spans()) {
    if (!isFirst) out.text(',');
    isFirst = false;
    encoder.span(span);
    if (out.length >= CHUNK_BYTES) yield out.take();
  }
  out.text('],"processes":');
  encoder.processes();
  out.text(',"warnings":null}');
  yield out.take();
}

/** Where the parts of one Span message are; what is absent has start = end. */
interface SpanParts {
  name: readonly [number, number];
  traceState: readonly [number, number];
  status: readonly [number, number];
  /** Starts and ends of the Event messages, alternating. */
  readonly events: number[];
  readonly links: LinkView[];
}

class TraceEncoder {
  readonly out = new JsonWriter({ isHtmlEscaped: true, capacityBytes: CHUNK_BYTES * 2 });
  readonly #trace: TraceView;
  readonly #bytes: Uint8Array;
  readonly #isRaw: boolean;
  /** Process id by what makes processes equal: the service and the sorted tags. */
  readonly #idByContent = new Map<string, string>();
  readonly #idByResource = new Map<ResourceView, string>();
  readonly #jsonById = new Map<string, string>();

  constructor(trace: TraceView, isRaw: boolean) {
    this.#trace = trace;
    this.#bytes = trace.bytes;
    this.#isRaw = isRaw;
  }

  span(span: SpanView): void {
    const { out } = this;
    const parts = this.#parts(span);
    const attributes = readAttributes(this.#bytes, span.start, span.end, 9);
    const warnings = [...storedWarnings(this.#bytes, attributes), ...(this.#isRaw ? [] : span.warnings)];
    for (const link of parts.links) if (!link.isValid && !this.#isRaw) warnings.push('Invalid span link removed');
    out.text(`{"traceID":"${this.#trace.traceId}","spanID":"${span.spanId}","operationName":`);
    this.#name(parts, attributes);
    const links = this.#isRaw ? parts.links : parts.links.filter((link) => link.isValid);
    out.text(',"references":[');
    writeReferences(out, { traceId: this.#trace.traceId, parentId: span.parentId, links });
    out.text(']');
    out.text(`,"startTime":${span.startNs / 1000n},"duration":${(span.endNs - span.startNs) / 1000n},"tags":[`);
    this.#tags(span, parts, this.#spanAttributes(span, attributes, warnings));
    out.text('],"logs":[');
    this.#logs(parts.events);
    out.text(`],"processID":"${this.#processId(span.resource)}","warnings":`);
    if (warnings.length === 0) out.text('null}');
    else {
      out.text('[');
      warnings.forEach((warning, i) => {
        if (i > 0) out.text(',');
        out.string(warning);
      });
      out.text(']}');
    }
  }

  /** `{"p1":…}` in the order of the ids as strings, as Go writes a map: p1, p10, p2. */
  processes(): void {
    const ids = [...this.#jsonById.keys()].sort();
    this.out.utf8Text(`{${ids.map((id) => `"${id}":${this.#jsonById.get(id)!}`).join(',')}}`);
  }

  #parts(span: SpanView): SpanParts {
    const parts: SpanParts = { name: [0, 0], traceState: [0, 0], status: [0, 0], events: [], links: [] };
    const reader = new WireReader(this.#bytes, span.start, span.end);
    while (reader.next()) {
      switch (reader.field) {
        case 3:
          reader.expect(WIRE_BYTES, 'Span.trace_state');
          parts.traceState = [reader.valueStart, reader.valueEnd];
          break;
        case 5:
          reader.expect(WIRE_BYTES, 'Span.name');
          parts.name = [reader.valueStart, reader.valueEnd];
          break;
        case 11:
          reader.expect(WIRE_BYTES, 'Span.events');
          parts.events.push(reader.valueStart, reader.valueEnd);
          break;
        case 13:
          reader.expect(WIRE_BYTES, 'Span.links');
          parts.links.push(readLink(this.#bytes, reader.valueStart, reader.valueEnd));
          break;
        case 15:
          reader.expect(WIRE_BYTES, 'Span.status');
          parts.status = [reader.valueStart, reader.valueEnd];
      }
    }
    return parts;
  }

  /** The operation name; one that is not UTF-8 is kept as bytes in an attribute, which is added to `attributes`. */
  #name(parts: SpanParts, attributes: Attribute[]): void {
    const [start, end] = parts.name;
    if (start === end) return this.out.text('"empty-span-name"');
    if (isUtf8Range(this.#bytes, start, end)) return this.out.utf8(this.#bytes, start, end);
    attributes.push(bytesAttribute('invalid-span-name', this.#bytes.subarray(start, end)));
    this.out.text('"invalid-span-name"');
  }

  /** The span's own attributes as they are shown: without the warnings, adjusted and sorted unless raw. */
  #spanAttributes(span: SpanView, attributes: Attribute[], warnings: readonly string[]): Attribute[] {
    const shown = warnings.length > 0 ? attributes.filter(({ key }) => key !== WARNINGS_KEY) : attributes;
    const { movedKeys } = span;
    const staying = movedKeys === undefined ? shown : shown.filter(({ key }) => !movedKeys.has(key));
    return this.#isRaw ? staying : adjusted(staying).sort(byKeyBytes);
  }

  /** Scope, attributes, kind, status, trace state. */
  #tags(span: SpanView, parts: SpanParts, attributes: readonly Attribute[]): void {
    const { scope } = span;
    const tags: Attribute[] = [];
    pushText(tags, 'otel.scope.name', scope.nameStart, scope.nameEnd);
    pushText(tags, 'otel.scope.version', scope.versionStart, scope.versionEnd);
    for (const attribute of attributes) tags.push(attribute);
    if (kindName(span.kind) !== '') tags.push(textAttribute('span.kind', kindName(span.kind)));
    this.#status(tags, parts.status[0], parts.status[1]);
    pushText(tags, 'w3c.tracestate', parts.traceState[0], parts.traceState[1]);
    this.#writeTags(tags);
  }

  #status(tags: Attribute[], start: number, end: number): void {
    const reader = new WireReader(this.#bytes, start, end);
    let code = 0;
    while (reader.next()) {
      if (reader.field !== 3) continue;
      reader.expect(WIRE_VARINT, 'Status.code');
      code = reader.lo;
    }
    if (code === 1) tags.push(textAttribute('otel.status_code', 'OK'));
    if (code === 2)
      tags.push(textAttribute('otel.status_code', 'ERROR'), { key: 'error', type: 2, lo: 1, hi: 0, own: undefined });
    const [messageStart, messageEnd] = lastRange(this.#bytes, start, end, 2);
    pushText(tags, 'otel.status_description', messageStart, messageEnd);
  }

  #logs(ranges: readonly number[]): void {
    const events = [];
    for (let i = 0; i < ranges.length; i += 2) events.push(this.#readEvent(ranges[i]!, ranges[i + 1]!));
    if (!this.#isRaw) events.sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
    events.forEach((event, i) => {
      this.out.text(`${i > 0 ? ',' : ''}{"timestamp":${event.timeNs / 1000n},"fields":[`);
      this.#writeTags(event.fields);
      this.out.text(']}');
    });
  }

  #readEvent(start: number, end: number): { readonly timeNs: bigint; readonly fields: Attribute[] } {
    const attributes = readAttributes(this.#bytes, start, end, 3);
    if (!this.#isRaw) attributes.sort(byKeyBytes);
    const [nameStart, nameEnd] = lastRange(this.#bytes, start, end, 2);
    const fields: Attribute[] = [];
    if (!attributes.some(({ key }) => key === 'event')) pushText(fields, 'event', nameStart, nameEnd);
    for (const attribute of attributes) fields.push(attribute);
    const reader = new WireReader(this.#bytes, start, end);
    let timeNs = 0n;
    while (reader.next()) {
      if (reader.field !== 1) continue;
      reader.expect(WIRE_FIXED64, 'Event.time_unix_nano');
      timeNs = reader.uint64();
    }
    return { timeNs, fields };
  }

  #writeTags(tags: readonly Attribute[]): void {
    for (let i = 0; i < tags.length; i++) {
      if (i > 0) this.out.text(',');
      writeTag(this.out, this.#bytes, tags[i]!);
    }
  }

  #processId(resource: ResourceView): string {
    let id = this.#idByResource.get(resource);
    if (id !== undefined) return id;
    const attributes = this.#isRaw ? [...resource.attributes] : adjusted(resource.attributes).sort(byKeyBytes);
    const tags = [...attributes, ...resource.moved].map((attribute) => this.#tagText(attribute));
    const service = quoteJson(resource.service);
    const content = JSON.stringify([service, ...tags.toSorted()]);
    id = this.#idByContent.get(content);
    if (id === undefined) {
      id = `p${this.#idByContent.size + 1}`;
      this.#idByContent.set(content, id);
      this.#jsonById.set(id, `{"serviceName":${service},"tags":[${tags.join(',')}]}`);
    }
    this.#idByResource.set(resource, id);
    return id;
  }

  #tagText(attribute: Attribute): string {
    const out = new JsonWriter({ isHtmlEscaped: true, capacityBytes: 256 });
    writeTag(out, this.#bytes, attribute);
    return out.take().toString('utf8');
  }
}

function pushText(tags: Attribute[], key: string, start: number, end: number): void {
  if (end > start) tags.push({ key, type: STRING, lo: start, hi: end, own: undefined });
}

/** Warnings that came with the span: a list of strings, or anything else as one text. */
function storedWarnings(bytes: Uint8Array, attributes: readonly Attribute[]): string[] {
  const attribute = attributes.find(({ key }) => key === WARNINGS_KEY);
  if (attribute === undefined) return [];
  if (attribute.type !== LIST) return [textOf(bytes, attribute)];
  return listItems(bytes, attribute).map((item) => (item.type === STRING ? textOf(bytes, item) : ''));
}

/** A copy of the attributes with numeric `ip` and `peer.ipv4` as dotted text. */
function adjusted(attributes: readonly Attribute[]): Attribute[] {
  return attributes.map((attribute) => {
    const { key, type, lo, hi } = attribute;
    if ((key !== 'ip' && key !== 'peer.ipv4') || (type !== INT && type !== DOUBLE)) return attribute;
    const value = type === INT ? lo : doubleOf(lo, hi) >>> 0;
    return textAttribute(key, `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`);
  });
}
