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

interface Counts {
  spans: number;
  errors: number;
}

/** The summary as JSON text; undefined for a trace without spans. */
export function summaryJson(trace: FoundTrace): string | undefined {
  const view = readTraceView(trace.otlp);
  if (view === undefined) return undefined;
  adjustTrace(view);
  const ids = new SpanIdIndex(view);
  for (let row = 0; row < view.count; row++) ids.add(row);
  const services = new Map<string, Counts>();
  let root: SpanView | undefined;
  let orphans = 0;
  let errors = 0;
  let startNs = view.startNs(0);
  let endNs = view.endNs(0);
  for (let row = 0; row < view.count; row++) {
    const span = view.span(row);
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
    const hasParent = view.hasParent(row);
    if (!hasParent && (root === undefined || span.startNs < root.startNs)) root = span;
    if (hasParent && ids.find(view.parentHigh(row), view.parentLow(row)) < 0) orphans++;
  }
  const fields = [`"traceId":"${formatTraceId(trace.traceId)}"`];
  if (root !== undefined) {
    fields.push(`"rootServiceName":${quoteJson(root.resource.service)}`);
    fields.push(`"rootOperationName":${quoteJson(readStatusAndName(view.bytes, root).name)}`);
  }
  fields.push(`"minStartTimeUnixNano":"${startNs}"`, `"maxEndTimeUnixNano":"${endNs}"`);
  fields.push(...countFields({ spanCount: view.count, errorSpanCount: errors, orphanSpanCount: orphans }));
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
