// A trace as Jaeger sees it: one small object per span over the OTLP bytes, with Jaeger's sanitizers applied as a view
// (contract/jaeger.md §1.10; the stored data stays as it came). Attributes, events and links are read when the span is
// written (jaeger-json.ts), so a trace of 100,000 spans costs 100,000 objects and no strings but their ids.
import { WireReader, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import { serviceName } from '../otlp/service-name.ts';
import { formatLegacyTraceId } from '../trace/ids.ts';
import { LIST, listItems, readAttributes, STRING, textOf } from '../otlp/attributes.ts';
import type { Attribute } from '../otlp/attributes.ts';

/** An all-zero span id means none. */
export const NO_SPAN: string = '0'.repeat(16);
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;

export interface ResourceView {
  readonly service: string;
  /** Without service.name, sanitized, in the order of the wire. */
  readonly attributes: readonly Attribute[];
  /** Attributes that adjusting moved here from the spans. */
  readonly moved: Attribute[];
  /** What tells whether two spans share a clock; "" = unknown. */
  readonly hostKey: string;
}

/** Ranges of the trace's bytes; empty when start equals end. */
export interface ScopeView {
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly versionStart: number;
  readonly versionEnd: number;
}

export interface SpanView {
  /** The Span message in the trace's bytes. */
  readonly start: number;
  readonly end: number;
  readonly resource: ResourceView;
  readonly scope: ScopeView;
  /** 16 hex digits. Adjusting may give a server span a new one. */
  spanId: string;
  /** 16 hex digits, "" for none. */
  parentId: string;
  readonly kind: number;
  /** Since the epoch; endNs is always after startNs. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** An attribute's key may begin with "t": worth looking for library attributes. */
  readonly mayHoldLibraryKey: boolean;
  /** Texts in the order Jaeger adds them; undefined = none so far. */
  warnings: string[] | undefined;
  /** Keys of attributes that were moved to the resource. */
  movedKeys: Set<string> | undefined;
}

export interface TraceView {
  readonly bytes: Uint8Array;
  /** As legacy JSON prints it: 16 hex digits when the high half is zero, else 32. */
  readonly traceId: string;
  readonly spans: readonly SpanView[];
}

export function addWarning(span: SpanView, text: string): void {
  (span.warnings ??= []).push(text);
}

/** Reads TracesData bytes of one trace; undefined when there is no span in them. Throws INVALID_REQUEST when malformed. */
export function readTraceView(otlp: Uint8Array): TraceView | undefined {
  const { bytes, spans } = readSpans(otlp);
  const first = spans[0];
  if (first === undefined) return undefined;
  return { bytes, traceId: traceIdOf(bytes, first), spans };
}

/** Reads a request that may hold spans of many traces, mixed: one view a trace, in the order they are first met. */
export function readTraceViews(otlp: Uint8Array): TraceView[] {
  const { bytes, spans } = readSpans(otlp);
  const byTrace = Map.groupBy(spans, (span) => traceIdOf(bytes, span));
  return [...byTrace].map(([traceId, own]) => ({ bytes, traceId, spans: own }));
}

function readSpans(otlp: Uint8Array): { readonly bytes: Buffer; readonly spans: SpanView[] } {
  const bytes = Buffer.from(otlp.buffer, otlp.byteOffset, otlp.byteLength);
  const spans: SpanView[] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== 1) continue;
    reader.expect(WIRE_BYTES, 'TracesData.resource_spans');
    readResourceSpans(bytes, reader.valueStart, reader.valueEnd, spans);
  }
  return { bytes, spans };
}

function readResourceSpans(bytes: Uint8Array, start: number, end: number, spans: SpanView[]): void {
  const [resourceStart, resourceEnd] = lastRange(bytes, start, end, 1);
  const resource = readResource(bytes, resourceStart, resourceEnd);
  const reader = new WireReader(bytes, start, end);
  while (reader.next()) {
    if (reader.field !== 2) continue;
    reader.expect(WIRE_BYTES, 'ResourceSpans.scope_spans');
    readScopeSpans(bytes, reader.valueStart, reader.valueEnd, { resource, spans });
  }
}

function readScopeSpans(
  bytes: Uint8Array,
  start: number,
  end: number,
  to: { resource: ResourceView; spans: SpanView[] },
): void {
  const [scopeStart, scopeEnd] = lastRange(bytes, start, end, 1);
  const [nameStart, nameEnd] = lastRange(bytes, scopeStart, scopeEnd, 1);
  const [versionStart, versionEnd] = lastRange(bytes, scopeStart, scopeEnd, 2);
  const scope = { nameStart, nameEnd, versionStart, versionEnd };
  const reader = new WireReader(bytes, start, end);
  const inner = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== 2) continue;
    reader.expect(WIRE_BYTES, 'ScopeSpans.spans');
    to.spans.push(readSpan(inner.reset(reader.valueStart, reader.valueEnd), to.resource, scope));
  }
}

function readSpan(reader: WireReader, resource: ResourceView, scope: ScopeView): SpanView {
  const { bytes, pos: start, end } = reader;
  let spanId = NO_SPAN;
  let parentId = NO_SPAN;
  let kind = 0;
  let startNs = 0n;
  let endNs = 0n;
  let mayHoldLibraryKey = false;
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        spanId = spanIdOf(bytes, reader);
        break;
      case 4:
        parentId = spanIdOf(bytes, reader);
        break;
      case 6:
        reader.expect(WIRE_VARINT, 'Span.kind');
        kind = reader.lo | 0;
        break;
      case 7:
        reader.expect(WIRE_FIXED64, 'Span.start_time_unix_nano');
        startNs = reader.int64();
        break;
      case 8:
        reader.expect(WIRE_FIXED64, 'Span.end_time_unix_nano');
        endNs = reader.int64();
        break;
      case 9:
        reader.expect(WIRE_BYTES, 'Span.attributes');
        // 0x0a: the key comes first, as every encoder writes it; after its length byte comes its first letter.
        mayHoldLibraryKey ||= bytes[reader.valueStart] !== 0x0a || bytes[reader.valueStart + 2] === 0x74;
    }
  }
  const warnings = endNs > startNs ? undefined : [negativeDurationWarning(startNs, endNs)];
  if (warnings !== undefined) endNs = startNs + 1n;
  if (parentId === NO_SPAN) parentId = '';
  return {
    start,
    end,
    resource,
    scope,
    spanId,
    parentId,
    kind,
    startNs,
    endNs,
    mayHoldLibraryKey,
    warnings,
    movedKeys: undefined,
  };
}

/** The id in the reader's current field: 16 hex digits, zeros when it is empty. */
export function spanIdOf(bytes: Uint8Array, reader: WireReader): string {
  reader.expect(WIRE_BYTES, 'a span id');
  const hex = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + reader.valueStart,
    reader.valueEnd - reader.valueStart,
  ).toString('hex');
  return hex.padStart(16, '0').slice(-16);
}

function traceIdOf(bytes: Uint8Array, span: SpanView): string {
  const [start, end] = lastRange(bytes, span.start, span.end, 1);
  return formatLegacyTraceId(bytes.subarray(start, end));
}

/** The value of the last occurrence of length-delimited field `field` in the message [start, end); [0, 0] when absent. */
export function lastRange(bytes: Uint8Array, start: number, end: number, field: number): readonly [number, number] {
  const reader = new WireReader(bytes, start, end);
  let from = 0;
  let to = 0;
  while (reader.next()) {
    if (reader.field !== field) continue;
    reader.expect(WIRE_BYTES, `field ${field}`);
    from = reader.valueStart;
    to = reader.valueEnd;
  }
  return [from, to];
}

function readResource(bytes: Uint8Array, start: number, end: number): ResourceView {
  const attributes = readAttributes(bytes, start, end, 1);
  return {
    service: serviceName(bytes.subarray(start, end)),
    attributes: attributes.filter((attribute) => attribute.key !== 'service.name'),
    moved: [],
    hostKey: hostKeyOf(bytes, attributes),
  };
}

function hostKeyOf(bytes: Uint8Array, attributes: readonly Attribute[]): string {
  const find = (key: string): Attribute | undefined => attributes.find((attribute) => attribute.key === key);
  const text = (attribute: Attribute): string => (attribute.type === STRING ? textOf(bytes, attribute) : '');
  const id = find('host.id');
  if (id !== undefined) return text(id);
  const ip = find('host.ip');
  if (ip?.type === STRING) return text(ip);
  const firstIp = ip?.type === LIST ? listItems(bytes, ip)[0] : undefined;
  if (firstIp !== undefined) return textOf(bytes, firstIp);
  const name = find('host.name');
  return name === undefined ? '' : text(name);
}

function negativeDurationWarning(startNs: bigint, endNs: bigint): string {
  return (
    'Negative duration detected, sanitizing end timestamp. ' +
    `Original end timestamp: ${formatGoTime(endNs)}, adjusted to: ${formatGoTime(startNs + 1n)}`
  );
}

/** A time in UTC as Go's Time.String prints it: 2026-11-20 10:00:00.5 +0000 UTC. */
export function formatGoTime(ns: bigint): string {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = new Date(Number((ns - fraction) / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ');
  const digits = fraction === 0n ? '' : `.${fraction.toString().padStart(9, '0').replace(/0+$/, '')}`;
  return `${seconds}${digits} +0000 UTC`;
}
