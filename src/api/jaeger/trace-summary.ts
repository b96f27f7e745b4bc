// The summary of a trace that Jaeger UI lists without reading the whole trace (contract/jaeger.md §1.5, J querysvc/summary.go):
// root, bounds, counts, per-service counts. Computed over the adjusted trace; zero or empty fields are left out.
import { quoteJson } from '../../bytes/json-writer.ts';
import { WireReader } from '../../bytes/wire-reader.ts';
import { compareUtf8 } from '../../trace/attributes.ts';
import { operationName } from '../../trace/service-name.ts';
import { formatTraceId } from '../../trace/ids.ts';
import type { FoundTrace } from '../../trace/store.ts';
import { adjustInTurns } from './jaeger-adjusters.ts';
import { lastRange, readTraceInTurns } from './jaeger-model.ts';
import { ROWS_PER_TURN, SpanIdIndex, TURN, withoutTurns, type TraceView } from './trace-view.ts';

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
  return withoutTurns(summarizeInTurns(trace));
}

/** The same, yielding TURN on the way if the trace is big. */
export function* summarizeInTurns(trace: FoundTrace): Generator<Buffer, TraceSummary | undefined, undefined> {
  const view = yield* readTraceInTurns(trace.otlp);
  if (view === undefined) return undefined;
  yield* adjustInTurns(view);
  const ids = new SpanIdIndex(view);
  for (let row = 0; row < view.count; row++) ids.add(row);
  const services = new Map<string, { name: string; spans: number; errors: number }>();
  let root = -1;
  let orphans = 0;
  let errors = 0;
  let startNs = view.startNs(0);
  let endNs = view.endNs(0);
  for (let row = 0; row < view.count; row++) {
    const isError = readStatus(view, row) === STATUS_ERROR;
    const { service } = view.resource(row);
    const counts = services.get(service) ?? { name: service, spans: 0, errors: 0 };
    services.set(service, counts);
    counts.spans++;
    if (isError) {
      counts.errors++;
      errors++;
    }
    if (view.startNs(row) < startNs) startNs = view.startNs(row);
    if (view.endNs(row) > endNs) endNs = view.endNs(row);
    const hasParent = view.hasParent(row);
    if (!hasParent && (root < 0 || view.startNs(row) < view.startNs(root))) root = row;
    if (hasParent && ids.find(view.parentHigh(row), view.parentLow(row)) < 0) orphans++;
    if ((row + 1) % ROWS_PER_TURN === 0) yield TURN;
  }
  return {
    traceId: trace.traceId,
    root: root < 0 ? undefined : { service: view.resource(root).service, operation: readName(view, root) },
    startNs,
    endNs,
    spans: view.count,
    errors,
    orphans,
    services: [...services.values()].toSorted((a, b) => compareUtf8(a.name, b.name)),
  };
}

/** The summary as JSON text. */
export function summaryJson(summary: TraceSummary): string {
  const { root, startNs, endNs, spans, errors, orphans, services } = summary;
  const fields = [`"traceId":"${formatTraceId(summary.traceId)}"`];
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

function readName(view: TraceView, row: number): string {
  const [start, end] = lastRange(view.bytes, view.startOf(row), view.endOf(row), 5);
  return operationName(view.bytes.toString('utf8', start, end));
}

function readStatus(view: TraceView, row: number): number {
  const [start, end] = lastRange(view.bytes, view.startOf(row), view.endOf(row), 15);
  return readCode(new WireReader(view.bytes, start, end));
}

function readCode(status: WireReader): number {
  let code = 0;
  while (status.next()) if (status.field === 3) code = status.lo;
  return code;
}
