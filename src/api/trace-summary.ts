// What Jaeger UI lists of a trace without reading it whole (contract/jaeger.md §1.5, J querysvc/summary.go): root, bounds,
// counts, per-service counts. Computed over the whole trace after the adjusters; fields that are zero or empty are left out.
import { quoteJson } from '../bytes/json-writer.ts';
import { WireReader } from '../bytes/wire-reader.ts';
import { compareUtf8 } from '../otlp/attributes.ts';
import { operationName } from '../otlp/service-name.ts';
import { formatTraceId } from '../trace/ids.ts';
import type { FoundTrace } from '../trace/store.ts';
import { adjustTrace } from './jaeger-adjusters.ts';
import { readTraceView } from './jaeger-model.ts';
import { SpanIdIndex, type SpanView } from './trace-view.ts';

const STATUS_ERROR = 2;

export interface ServiceCounts {
  readonly name: string;
  readonly spans: number;
  readonly errors: number;
}

export interface TraceSummary {
  /** 16 bytes. */
  readonly traceId: Uint8Array;
  /** The earliest span without a parent. */
  readonly root: { readonly service: string; readonly operation: string } | undefined;
  /** Earliest start and latest end of all spans, ns since the epoch. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly spans: number;
  readonly errors: number;
  /** Spans whose parent is not in the trace. */
  readonly orphans: number;
  /** By name, in byte order. */
  readonly services: readonly ServiceCounts[];
}

/** Undefined for a trace without spans. */
export function summarizeTrace(trace: FoundTrace): TraceSummary | undefined {
  const view = readTraceView(trace.otlp);
  if (view === undefined) return undefined;
  adjustTrace(view);
  const ids = new SpanIdIndex(view);
  for (let row = 0; row < view.count; row++) ids.add(row);
  const services = new Map<string, { name: string; spans: number; errors: number }>();
  let root: SpanView | undefined;
  let orphans = 0;
  let errors = 0;
  let startNs = view.startNs(0);
  let endNs = view.endNs(0);
  for (let row = 0; row < view.count; row++) {
    const span = view.span(row);
    const isError = readStatusAndName(view.bytes, span).status === STATUS_ERROR;
    const counts = services.get(span.resource.service) ?? { name: span.resource.service, spans: 0, errors: 0 };
    services.set(span.resource.service, counts);
    counts.spans++;
    if (isError) {
      counts.errors++;
      errors++;
    }
    if (span.startNs < startNs) startNs = span.startNs;
    if (span.endNs > endNs) endNs = span.endNs;
    const hasParent = view.hasParent(row);
    if (!hasParent && (root === undefined || span.startNs < root.startNs)) root = span;
    if (hasParent && ids.find(view.parentHigh(row), view.parentLow(row)) < 0) orphans++;
  }
  return {
    traceId: trace.traceId,
    root: root && { service: root.resource.service, operation: readStatusAndName(view.bytes, root).name },
    startNs,
    endNs,
    spans: view.count,
    errors,
    orphans,
    services: [...services.values()].toSorted((a, b) => compareUtf8(a.name, b.name)),
  };
}

/** The summary as JSON text; undefined for a trace without spans. */
export function summaryJson(trace: FoundTrace): string | undefined {
  const summary = summarizeTrace(trace);
  if (summary === undefined) return undefined;
  const { root, startNs, endNs, spans, errors, orphans, services } = summary;
  const fields = [`"traceId":"${formatTraceId(trace.traceId)}"`];
  if (root !== undefined) {
    fields.push(`"rootServiceName":${quoteJson(root.service)}`, `"rootOperationName":${quoteJson(root.operation)}`);
  }
  fields.push(`"minStartTimeUnixNano":"${startNs}"`, `"maxEndTimeUnixNano":"${endNs}"`);
  fields.push(...countFields({ spanCount: spans, errorSpanCount: errors, orphanSpanCount: orphans }));
  return `{${[...fields, `"services":[${services.map(serviceJson).join(',')}]`].join(',')}}`;
}

function serviceJson({ name, spans, errors }: ServiceCounts): string {
  const counts = countFields({ spanCount: spans, errorSpanCount: errors });
  return `{${[`"name":${quoteJson(name)}`, ...counts].join(',')}}`;
}

function countFields(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `"${name}":${count}`);
}

function readStatusAndName(bytes: Uint8Array, span: SpanView): { name: string; status: number } {
  const reader = new WireReader(bytes, span.start, span.end);
  let name = '';
  let status = 0;
  while (reader.next()) {
    if (reader.field === 5) name = Buffer.from(reader.value()).toString('utf8');
    else if (reader.field === 15) status = readCode(new WireReader(bytes, reader.valueStart, reader.valueEnd));
  }
  return { name: operationName(name), status };
}

function readCode(status: WireReader): number {
  let code = 0;
  while (status.next()) if (status.field === 3) code = status.lo;
  return code;
}
