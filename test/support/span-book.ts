// The oracle of the kill test: what was sent to a node and what became of it, span by span. A span is acknowledged once
// any request holding it was; until then its outcome is unknown: it may be there or not. For requests entered with their
// content the book also knows what each span must look like.
import { hash } from 'node:crypto';
import type { SentRequest, SentSpan } from './kill-traffic.ts';
import { decodeRequest, toOtlpJson } from './otlp-proto.ts';

export interface BookedTrace {
  readonly tenant: string;
  readonly traceId: string;
  /** The last round that sent a span of it. */
  round: number;
  readonly acknowledged: Set<string>;
  readonly unknown: Set<string>;
  /** Span id → fingerprint of what it must look like, for those whose content was entered. */
  readonly content: Map<string, string>;
}

/** A span's name in sets. */
export function spanKey(tenant: string, traceId: string, spanId: string): string {
  return `${tenant} ${traceId} ${spanId}`;
}

export class SpanBook {
  readonly traces = new Map<string, BookedTrace>();
  /** Acknowledged names: tenant → service → operations. */
  readonly names = new Map<string, Map<string, Set<string>>>();
  /** Different spans that were acknowledged. */
  acknowledgedSpans = 0;
  /** Rows that may be on disk at most: nothing merged away, everything of unknown outcome stored. */
  rowsMax = 0;

  enterAcknowledged(request: SentRequest, round: number): void {
    this.rowsMax += request.spans.length;
    for (const span of request.spans) {
      const trace = this.traceOf(request.tenant, span.traceId);
      trace.round = round;
      trace.unknown.delete(span.spanId);
      if (trace.acknowledged.has(span.spanId)) continue;
      trace.acknowledged.add(span.spanId);
      this.acknowledgedSpans++;
      this.#addName(request.tenant, span);
    }
  }

  enterUnknown(request: SentRequest, round: number): void {
    this.rowsMax += request.spans.length;
    for (const span of request.spans) {
      const trace = this.traceOf(request.tenant, span.traceId);
      trace.round = round;
      if (!trace.acknowledged.has(span.spanId)) trace.unknown.add(span.spanId);
    }
  }

  /** From now on the spans of `request` are also compared field by field. */
  enterContent(request: SentRequest): void {
    for (const [traceId, spanId, print] of fingerprints(toOtlpJson(decodeRequest(request.body)))) {
      this.traces.get(`${request.tenant} ${traceId}`)?.content.set(spanId, print);
    }
  }

  /** The trace's entry, made when there is none. */
  traceOf(tenant: string, traceId: string): BookedTrace {
    const key = `${tenant} ${traceId}`;
    let trace = this.traces.get(key);
    if (trace === undefined) {
      trace = { tenant, traceId, round: 0, acknowledged: new Set(), unknown: new Set(), content: new Map() };
      this.traces.set(key, trace);
    }
    return trace;
  }

  #addName(tenant: string, { service, operation }: SentSpan): void {
    const services = this.names.get(tenant) ?? new Map<string, Set<string>>();
    this.names.set(tenant, services);
    const operations = services.get(service) ?? new Set<string>();
    services.set(service, operations.add(operation));
  }
}

interface JsonSpans {
  resourceSpans?: { scopeSpans?: { spans?: { traceId?: string; spanId?: string }[] }[] }[];
}

/** Trace id, span id and a fingerprint of everything OTLP says, for every span of a TracesData in OTLP JSON. */
export function* fingerprints(json: unknown): Generator<readonly [string, string, string]> {
  for (const { scopeSpans = [], ...resource } of (json as JsonSpans).resourceSpans ?? []) {
    for (const { spans = [], ...scope } of scopeSpans) {
      for (const span of spans) {
        yield [span.traceId ?? '', span.spanId ?? '', hash('sha1', JSON.stringify(sorted({ resource, scope, span })))];
      }
    }
  }
}

/** Fields in one order; what is empty counts as absent, as on the protobuf wire. */
function sorted(value: unknown): unknown {
  if (Object.is(value, -0)) return '-0'; // as toOtlpJson has it: JSON.stringify would drop the sign
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value)
    .map(([name, item]) => [name, sorted(item)] as const)
    .filter(
      ([, item]) => item !== '' && !(typeof item === 'object' && item !== null && Object.keys(item).length === 0),
    );
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}
