// Reads OTLP bytes into the view from which Jaeger's JSON is made, and applies Jaeger's sanitizers (contract/jaeger.md §1.10; the
// stored data stays unchanged). Attributes, events and links are read when the span is written (jaeger-json.ts).
import { WireReader, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from '../../bytes/wire-reader.ts';
import { formatLegacyTraceId } from '../../trace/ids.ts';
import { ResourceView, ROWS_PER_TURN, TraceView, TURN, withoutTurns } from './trace-view.ts';

/** An all-zero span id means none. */
export const NO_SPAN: string = '0'.repeat(16);

/** Reads TracesData bytes of one trace at once; undefined if they have no span. Throws INVALID_REQUEST if malformed. */
export function readTraceView(otlp: Uint8Array): TraceView | undefined {
  return withoutTurns(readTraceInTurns(otlp));
}

/** The same, yielding TURN on the way if the trace is big. */
export function* readTraceInTurns(otlp: Uint8Array): Generator<Buffer, TraceView | undefined, undefined> {
  const trace = yield* readSpans(otlp);
  if (trace.count === 0) return undefined;
  trace.traceId = traceIdOf(trace, 0);
  return trace;
}

/** Reads a request with spans of any number of traces, mixed: one view per trace, by first occurrence. */
export function readTraceViews(otlp: Uint8Array): TraceView[] {
  const all = withoutTurns(readSpans(otlp));
  const byTrace = Map.groupBy(Array(all.count).keys(), (row) => traceIdOf(all, row));
  return [...byTrace].map(([traceId, rows]) => all.only(rows, traceId));
}

function traceIdOf(trace: TraceView, row: number): string {
  const [start, end] = lastRange(trace.bytes, trace.startOf(row), trace.endOf(row), 1);
  return formatLegacyTraceId(trace.bytes.subarray(start, end));
}

function* readSpans(otlp: Uint8Array): Generator<Buffer, TraceView, undefined> {
  const trace = new TraceView(Buffer.from(otlp.buffer, otlp.byteOffset, otlp.byteLength));
  const reader = new WireReader(trace.bytes);
  while (reader.next()) {
    if (reader.field !== 1) continue;
    reader.expect(WIRE_BYTES, 'TracesData.resource_spans');
    yield* readResourceSpans(trace, reader.valueStart, reader.valueEnd);
  }
  return trace;
}

function* readResourceSpans(trace: TraceView, start: number, end: number): Generator<Buffer, void, undefined> {
  const { bytes } = trace;
  const [resourceStart, resourceEnd] = lastRange(bytes, start, end, 1);
  trace.resources.push(new ResourceView(bytes, resourceStart, resourceEnd));
  const reader = new WireReader(bytes, start, end);
  while (reader.next()) {
    if (reader.field !== 2) continue;
    reader.expect(WIRE_BYTES, 'ResourceSpans.scope_spans');
    yield* readScopeSpans(trace, reader.valueStart, reader.valueEnd);
  }
}

function* readScopeSpans(trace: TraceView, start: number, end: number): Generator<Buffer, void, undefined> {
  const { bytes } = trace;
  const [scopeStart, scopeEnd] = lastRange(bytes, start, end, 1);
  const [nameStart, nameEnd] = lastRange(bytes, scopeStart, scopeEnd, 1);
  const [versionStart, versionEnd] = lastRange(bytes, scopeStart, scopeEnd, 2);
  trace.scopes.push({ nameStart, nameEnd, versionStart, versionEnd });
  const reader = new WireReader(bytes, start, end);
  const inner = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== 2) continue;
    reader.expect(WIRE_BYTES, 'ScopeSpans.spans');
    readSpan(trace, inner.reset(reader.valueStart, reader.valueEnd));
    if (trace.count % ROWS_PER_TURN === 0) yield TURN;
  }
}

function readSpan(trace: TraceView, reader: WireReader): void {
  const { bytes } = trace;
  const row = trace.add(reader.pos, reader.end);
  let startNs = 0n;
  let endNs = 0n;
  while (reader.next()) {
    switch (reader.field) {
      case 2:
        reader.expect(WIRE_BYTES, 'Span.span_id');
        trace.readId(row, reader.valueStart, reader.valueEnd);
        break;
      case 4:
        reader.expect(WIRE_BYTES, 'Span.parent_span_id');
        trace.readParentId(row, reader.valueStart, reader.valueEnd);
        break;
      case 6:
        reader.expect(WIRE_VARINT, 'Span.kind');
        trace.setKind(row, reader.lo);
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
        // 0x0a: the key comes first, as every encoder writes it; after its length byte follows its first letter, "t".
        if (bytes[reader.valueStart] !== 0x0a || bytes[reader.valueStart + 2] === 0x74) trace.markLibraryKey(row);
    }
  }
  if (endNs < startNs) trace.addWarning(row, negativeDurationWarning(startNs, endNs));
  if (endNs <= startNs) endNs = startNs + 1n;
  trace.setTimes(row, startNs, endNs);
}

/** The id in the reader's current field: 16 hex digits, zeros if it is empty. */
export function spanIdOf(bytes: Uint8Array, reader: WireReader): string {
  reader.expect(WIRE_BYTES, 'a span id');
  const hex = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + reader.valueStart,
    reader.valueEnd - reader.valueStart,
  ).toString('hex');
  return hex.padStart(16, '0').slice(-16);
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
