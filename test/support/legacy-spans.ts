// Spans of api_v2 in the form of Jaeger's legacy JSON, so that both views of a trace can be compared: times cut to µs, ids as
// text, values as JSON types. Processes stand at their span.
import { nsOf, type JaegerSpan, type JaegerTag } from './storage-client.ts';

const TYPES = ['string', 'bool', 'int64', 'float64', 'binary'];

/** Span by span, what {"spans": …, "processes": …} says with its processes put in. */
export function legacyOf(spans: readonly JaegerSpan[]): unknown[] {
  return spans.map((span) => ({
    traceID: idText(span.traceId),
    spanID: hex(span.spanId),
    operationName: span.operationName,
    references: span.references.map(({ traceId, spanId, refType }) => ({
      refType: refType === 0 ? 'CHILD_OF' : 'FOLLOWS_FROM',
      traceID: idText(traceId),
      spanID: hex(spanId),
    })),
    startTime: Number(nsOf(span.startTime) / 1_000n),
    duration: Number(nsOf(span.duration) / 1_000n),
    tags: span.tags.map(tagOf),
    logs: span.logs.map(({ timestamp, fields }) => ({
      timestamp: Number(nsOf(timestamp) / 1_000n),
      fields: fields.map(tagOf),
    })),
    process: { serviceName: span.process.serviceName, tags: span.process.tags.map(tagOf) },
    warnings: span.warnings.length === 0 ? null : [...span.warnings],
  }));
}

/** The same of a trace as legacy JSON. */
export function inlineProcesses(trace: {
  readonly spans: readonly { readonly processID: string }[];
  readonly processes: Readonly<Record<string, unknown>>;
}): unknown[] {
  return trace.spans.map(({ processID, ...span }) => ({ ...span, process: trace.processes[processID] }));
}

function tagOf(tag: JaegerTag): { key: string; type: string; value: unknown } {
  const values = [tag.vStr, tag.vBool, intOf(tag.vInt64), tag.vFloat64, Buffer.from(tag.vBinary).toString('base64')];
  return { key: tag.key, type: TYPES[tag.vType]!, value: values[tag.vType] };
}

function intOf(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function idText(id: Uint8Array): string {
  return hex(id).replace(/^0{16}/, '');
}
