// The list of traces: what GET api/v3/trace-summaries is asked, and its answer as rows. Pure.
import type { TraceSearch } from './place.ts';

/** The answer; fields that are zero or empty are absent. */
export interface SummariesAnswer {
  readonly summaries: readonly TraceSummary[];
}

export interface TraceSummary {
  readonly traceId: string;
  readonly rootServiceName?: string;
  readonly rootOperationName?: string;
  readonly minStartTimeUnixNano: string;
  readonly maxEndTimeUnixNano: string;
  readonly spanCount?: number;
  readonly errorSpanCount?: number;
  readonly services?: readonly { readonly name: string }[];
}

export interface TraceItem {
  readonly traceId: string;
  /** Empty where the root span has not come (yet). */
  readonly service: string;
  readonly operation: string;
  /** ms since the epoch */
  readonly startMs: number;
  readonly durationUs: number;
  readonly spans: number;
  readonly errors: number;
  readonly services: number;
}

/** Clocks of clients may be ahead: no span is stored farther ahead than the node's future retention, days by default. */
const AHEAD_MS = 7 * 86_400_000;

/** The newest `most` traces of all time, as a path below the mount. */
export function summariesPath(search: TraceSearch, most: number, nowMs: number): string {
  const params = new URLSearchParams({
    'query.serviceName': search.service,
    'query.startTimeMin': new Date(0).toISOString(),
    'query.startTimeMax': new Date(nowMs + AHEAD_MS).toISOString(),
    'query.searchDepth': String(most),
  });
  if (search.operation !== '') params.set('query.operationName', search.operation);
  if (search.atLeast !== '') params.set('query.durationMin', search.atLeast);
  if (search.hasError) params.set('query.attributes', '{"error":"true"}');
  return `api/v3/trace-summaries?${params}`;
}

/** Newest first. */
export function traceItems({ summaries }: SummariesAnswer): TraceItem[] {
  return summaries.map(toItem).toSorted((a, b) => b.startMs - a.startMs);
}

function toItem(summary: TraceSummary): TraceItem {
  const startNs = BigInt(summary.minStartTimeUnixNano);
  return {
    traceId: summary.traceId,
    service: summary.rootServiceName ?? '',
    operation: summary.rootOperationName ?? '',
    startMs: Number(startNs / 1_000_000n),
    durationUs: Number(BigInt(summary.maxEndTimeUnixNano) - startNs) / 1_000,
    spans: summary.spanCount ?? 0,
    errors: summary.errorSpanCount ?? 0,
    services: summary.services?.length ?? 0,
  };
}
