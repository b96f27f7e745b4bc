// A trace as Jaeger's JSON, read back: for tests of each part of the view.
import { jaegerTraceToJson, newJaegerJson } from '../../src/api/jaeger/jaeger-json.ts';
import { readTraceView } from '../../src/api/jaeger/jaeger-model.ts';
import { encodeTraces, type OtlpKeyValue, type OtlpRequest, type OtlpSpan } from './otlp-proto.ts';
import { span, traceOf } from './rich-trace.ts';

export interface Tag {
  key: string;
  type: string;
  value: unknown;
}

export interface JaegerSpan {
  traceID: string;
  spanID: string;
  operationName: string;
  references: { refType: string; traceID: string; spanID: string }[];
  startTime: number;
  duration: number;
  tags: Tag[];
  logs: { timestamp: number; fields: Tag[] }[];
  processID: string;
  warnings: string[] | null;
}

export interface JaegerTrace {
  traceID: string;
  spans: JaegerSpan[];
  processes: Record<string, { serviceName: string; tags: Tag[] }>;
}

/** The JSON text; raw is unadjusted. */
export function jaegerText(otlp: Uint8Array, isRaw = false): string {
  const out = newJaegerJson();
  return Buffer.concat([...jaegerTraceToJson(out, readTraceView(otlp)!, { isRaw }), out.take()]).toString('utf8');
}

export function jaeger(data: OtlpRequest, isRaw = false): JaegerTrace {
  return JSON.parse(jaegerText(encodeTraces(data), isRaw)) as JaegerTrace;
}

/** The only span of a trace of one span with `more`. */
export function one(more: OtlpSpan, isRaw = false): JaegerSpan {
  return jaeger(traceOf([span(1, more)]), isRaw).spans[0]!;
}

export function tagsOf(...attributes: OtlpKeyValue[]): Tag[] {
  return one({ attributes }).tags;
}
