// Builds one trace span by span: ids, absolute times from offsets to the parent, jitter, exception events.
// The result lists parents before children.
import type { Attribute, GeneratedResource, GeneratedScope, GeneratedSpan } from './model.ts';
import { sendTimeNs } from './model.ts';
import type { Rng } from './rng.ts';

export interface SpanSpec {
  readonly resource: number;
  readonly scope: GeneratedScope;
  /** Absent: a root, whose offset counts from the trace's start. */
  readonly parent?: GeneratedSpan | undefined;
  readonly name: string;
  readonly kind: number;
  /** Start after the parent's start, and length at most (up to 8 % less); both get nanosecond noise: no two spans are alike. */
  readonly offsetUs: number;
  readonly durationUs: number;
  readonly attributes: Attribute[];
  /** Not empty: the span fails with this message and carries an exception event. */
  readonly error?: string;
}

// W3C trace flags "sampled" plus OTLP's "has-remote bit is known".
const usualFlags = 0x101;

export class TraceBuilder {
  readonly spans: GeneratedSpan[] = [];
  readonly traceId: Uint8Array;
  readonly #rng: Rng;
  readonly #resources: readonly GeneratedResource[];
  readonly #startNs: number;

  constructor(rng: Rng, resources: readonly GeneratedResource[], startNs: number) {
    this.#rng = rng;
    this.#resources = resources;
    this.#startNs = startNs;
    this.traceId = rng.bytes(16);
  }

  add(spec: SpanSpec): GeneratedSpan {
    const rng = this.#rng;
    const resource = this.#resources[spec.resource];
    if (resource === undefined) throw new Error(`BUG: resource ${spec.resource} does not exist`);
    const from = spec.parent?.startNs ?? this.#startNs;
    const startNs = from + Math.floor(spec.offsetUs) * 1000 + rng.int(1000);
    const endNs =
      startNs + Math.max(1, Math.floor(spec.durationUs * (0.92 + 0.08 * rng.float()))) * 1000 + rng.int(1000);
    const error = spec.error ?? '';
    const span: GeneratedSpan = {
      resource: spec.resource,
      scope: spec.scope,
      traceId: this.traceId,
      spanId: rng.bytes(8),
      parentSpanId: spec.parent?.spanId,
      name: spec.name,
      kind: spec.kind,
      startNs,
      endNs,
      sendNs: sendTimeNs(resource, endNs),
      attributes: spec.attributes,
      events: [],
      links: [],
      statusCode: error === '' ? 0 : 2,
      statusMessage: error,
      traceState: '',
      flags: usualFlags,
      dropped: [0, 0, 0],
    };
    if (error !== '')
      span.events.push({ timeNs: endNs - 1000, name: 'exception', attributes: exceptionAttributes(error) });
    this.spans.push(span);
    return span;
  }
}

/** How long a span really became. */
export function durationUsOf(span: GeneratedSpan): number {
  return (span.endNs - span.startNs) / 1000;
}

function exceptionAttributes(message: string): Attribute[] {
  const frames = [
    'Object.callErrorFromStatus (/app/node_modules/@grpc/grpc-js/build/src/call.js:31:19)',
    'Object.onReceiveStatus (/app/node_modules/@grpc/grpc-js/build/src/client.js:192:76)',
    'Object.onReceiveStatus (/app/node_modules/@grpc/grpc-js/build/src/client-interceptors.js:360:141)',
    'process.processTicksAndRejections (node:internal/process/task_queues:85:11)',
  ];
  return [
    ['exception.type', 'RpcError'],
    ['exception.message', message],
    ['exception.stacktrace', `RpcError: ${message}\n${frames.map((frame) => `    at ${frame}`).join('\n')}`],
  ];
}
