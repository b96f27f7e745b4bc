// What Jaeger UI lists of a trace without reading it whole (contract/jaeger.md §1.5, J querysvc/summary.go): root, bounds,
// counts, per-service counts. Computed over the whole trace after the adjusters; fields that are zero or empty are left out.
import { quoteJson } from '../bytes/json-writer.ts';
import { WireReader } from '../bytes/wire-reader.ts';
import { compareUtf8 } from '../otlp/attributes.ts';
import { operationName } from '../otlp/service-name.ts';
import { formatTraceId } from '../trace/ids.ts';
import type { FoundTrace } from '../trace/store.ts';
import { adjustTrace } from './jaeger-adjusters.ts';
import { NO_SPAN, readTraceView, type SpanView } from './jaeger-model.ts';

const STATUS_ERROR = 2;

interface Counts {
  spans: number;
  errors: number;
}

/** The summary as JSON text; undefined for a trace without spans. */
export function summaryJson(trace: FoundTrace): string | undefined {
  const view = readTraceView(trace.otlp);
  if (view === undefined) return undefined;
  adjustTrace(view);
  const ids = new Set(view.spans.map((span) => span.spanId));
  const services = new Map<string, Counts>();
  let root: SpanView | undefined;
  let orphans = 0;
  let errors = 0;
  let { startNs, endNs } = view.spans[0]!;
  for (const span of view.spans) {
    const isError = readStatusAndName(view.bytes, span).status === STATUS_ERROR;
    const counts = services.get(span.resource.service) ?? { spans: 0, errors: 0 };
    services.set(span.resource.service, counts);
    counts.spans++;
    if (isError) {
      counts.errors++;
      errors++;
    }
    if (span.startNs < startNs) startNs = span.startNs;
    if (span.endNs > endNs) endNs = span.endNs;
    const hasParent = span.parentId !== '' && span.parentId !== NO_SPAN;
    if (!hasParent && (root === undefined || span.startNs < root.startNs)) root = span;
    if (hasParent && !ids.has(span.parentId)) orphans++;
  }
  const fields = [`"traceId":"${formatTraceId(trace.traceId)}"`];
  if (root !== undefined) {
    fields.push(`"rootServiceName":${quoteJson(root.resource.service)}`);
    fields.push(`"rootOperationName":${quoteJson(readStatusAndName(view.bytes, root).name)}`);
  }
  fields.push(`"minStartTimeUnixNano":"${startNs}"`, `"maxEndTimeUnixNano":"${endNs}"`);
  fields.push(...countFields({ spanCount: view.spans.length, errorSpanCount: errors, orphanSpanCount: orphans }));
  return `{${[...fields, `"services":[${serviceItems(services)}]`].join(',')}}`;
}

function serviceItems(services: ReadonlyMap<string, Counts>): string {
  const sorted = [...services].toSorted(([a], [b]) => compareUtf8(a, b));
  return sorted
    .map(([name, { spans, errors }]) =>
      [`{"name":${quoteJson(name)}`, ...countFields({ spanCount: spans, errorSpanCount: errors })]
        .join(',')
        .concat('}'),
    )
    .join(',');
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
