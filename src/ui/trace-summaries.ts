// The list of traces: what GET api/v3/trace-summaries is asked, and its answer as rows. Pure.
import type { TraceSearch } from './place.ts';
import { parseTags } from './tags.ts';

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

/** The newest `most` traces of all time (clocks of clients may be ahead), as a path below the mount. */
export function summariesPath(search: TraceSearch, most: number): string {
  const params = new URLSearchParams({
    'query.startTimeMin': '1970-01-01T00:00:00Z',
    'query.startTimeMax': '2262-01-01T00:00:00Z',
    'query.searchDepth': String(most),
  });
  if (search.service !== '') params.set('query.serviceName', search.service);
  if (search.operation !== '') params.set('query.operationName', search.operation);
  if (search.atLeast !== '') params.set('query.durationMin', search.atLeast);
  const tags = Object.entries({ ...parseTags(search.tags), ...(search.hasError ? { error: 'true' } : {}) });
  if (tags.length > 0) params.set('query.attributes', JSON.stringify(Object.fromEntries(tags)));
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
