// Dependencies and the Monitor's series as plain loops over spans in memory, written from contract/jaeger.md §1.6 and §7.3
// and docs/decisions/0006 and from nothing in src: what the store's answers are compared with.
import type { CallSeries, Dependency, MetricsQuery } from '../../src/trace/store.ts';
import { operationOf, serviceOf, type KnownSpan } from './search-oracle.ts';

const MINUTE_NS = 60_000_000_000n;
const DAY_NS = 1440n * MINUTE_NS;

interface Call {
  readonly trace: string;
  readonly parent: string;
  readonly service: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly durationNs: bigint;
  operation: string;
  isError: boolean;
}

/** One a span that differs in id, parent, service, kind or times; its operation is the smallest of its names. */
function callsOf(spans: readonly KnownSpan[]): Call[] {
  const calls = new Map<string, Call>();
  for (const known of spans) {
    const { span, traceId } = known;
    const startNs = span.startTimeUnixNano ?? 0n;
    const durationNs = (span.endTimeUnixNano ?? 0n) - startNs;
    const service = serviceOf(known);
    const kind = span.kind ?? 0;
    const parent = hex(span.parentSpanId);
    const key = JSON.stringify([traceId, hex(span.spanId), parent, service, kind, `${startNs} ${durationNs}`]);
    const operation = operationOf(known);
    const isError = span.status?.code === 2;
    const call = calls.get(key);
    if (call === undefined) {
      calls.set(key, { trace: traceId, parent, service, kind, startNs, durationNs, operation, isError });
      continue;
    }
    if (compare(operation, call.operation) < 0) call.operation = operation;
    call.isError ||= isError;
  }
  return [...calls.values()];
}

/** Calls between services: a child span that starts in the window, rounded out to minutes, its parent in its trace and day. */
export function dependenciesNaively(spans: readonly KnownSpan[], startNs: bigint, endNs: bigint): Dependency[] {
  const callers = new Map<string, string>();
  for (const known of spans) {
    const { span, traceId } = known;
    const key = `${traceId} ${hex(span.spanId)} ${(span.startTimeUnixNano ?? 0n) / DAY_NS}`;
    const service = serviceOf(known);
    const other = callers.get(key);
    if (other === undefined || compare(service, other) < 0) callers.set(key, service);
  }
  const links = new Map<string, Dependency>();
  for (const call of callsOf(spans)) {
    const parent = callers.get(`${call.trace} ${call.parent} ${call.startNs / DAY_NS}`);
    const minute = call.startNs / MINUTE_NS;
    if (parent === undefined || parent === call.service) continue;
    if (minute < startNs / MINUTE_NS || minute > endNs / MINUTE_NS) continue;
    const key = JSON.stringify([parent, call.service]);
    const { callCount = 0, errorCount = 0 } = links.get(key) ?? {};
    const link = {
      parent,
      child: call.service,
      callCount: callCount + 1,
      errorCount: errorCount + Number(call.isError),
    };
    links.set(key, link);
  }
  return [...links.values()].sort((a, b) => compare(a.parent, b.parent) || compare(a.child, b.child));
}

/** Minutes, calls, errors and durations (ns, ascending) of one series. */
export interface NaiveSeries {
  readonly service: string;
  readonly operation: string | undefined;
  readonly minutes: { readonly minute: number; calls: number; errors: number; readonly durations: bigint[] }[];
}

export function callSeriesNaively(spans: readonly KnownSpan[], query: MetricsQuery): NaiveSeries[] {
  const series = new Map<string, NaiveSeries>();
  for (const call of callsOf(spans)) {
    const { service, startNs, durationNs } = call;
    const minute = startNs / MINUTE_NS;
    if (!query.services.includes(service) || (query.kinds.length > 0 && !query.kinds.includes(call.kind))) continue;
    if (minute < query.startNs / MINUTE_NS || minute > query.endNs / MINUTE_NS) continue;
    const operation = query.isByOperation ? call.operation : undefined;
    const key = JSON.stringify([service, operation]);
    const one = series.get(key) ?? { service, operation, minutes: [] };
    series.set(key, one);
    let row = one.minutes.find((known) => known.minute === Number(minute));
    if (row === undefined) one.minutes.push((row = { minute: Number(minute), calls: 0, errors: 0, durations: [] }));
    row.calls++;
    row.errors += Number(call.isError);
    row.durations.push(durationNs);
  }
  const sorted = [...series.values()];
  for (const { minutes } of sorted) {
    minutes.sort((a, b) => a.minute - b.minute);
    for (const { durations } of minutes) durations.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }
  return sorted.sort((a, b) => compare(a.service, b.service) || compare(a.operation ?? '', b.operation ?? ''));
}

/** Naive series in the form of the store's answer: each duration in its bucket, by `bucketOf` of latency-buckets.ts. */
export function toCallSeries(series: readonly NaiveSeries[], bucketOf: (durationNs: number) => number): CallSeries[] {
  return series.map(({ service, operation, minutes }) => {
    const buckets = minutes.map(({ durations }) => {
      const counts = new Map<number, number>();
      for (const duration of durations) {
        const bucket = bucketOf(Number(duration));
        counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
      }
      return [...counts];
    });
    let end = 0;
    return {
      service,
      operation,
      minutes: Float64Array.from(minutes, ({ minute }) => minute),
      calls: Float64Array.from(minutes, ({ calls }) => calls),
      errors: Float64Array.from(minutes, ({ errors }) => errors),
      bucketEnds: Uint32Array.from(buckets, (list) => (end += list.length)),
      buckets: Uint16Array.from(buckets.flat(), ([bucket]) => bucket),
      counts: Float64Array.from(buckets.flat(), ([, count]) => count),
    };
  });
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function hex(id: Uint8Array | undefined): string {
  return Buffer.from(id ?? []).toString('hex');
}
