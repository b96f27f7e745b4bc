// Questions to a storage node and its answers in the form of tracelith.cluster.v1 (protocol.ts), and back. What another process sent
// is checked here as far as a merge relies on it.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { LATENCY_BUCKETS } from '../trace/latency-buckets.ts';
import { BLOCK_FATES, type SearchExplanation } from '../trace/search-explanation.ts';
import type { CallSeries, Dependency, Marked, MetricsQuery, SearchHit } from '../trace/store.ts';
import type { TraceQuery } from '../trace/trace-query.ts';

export interface QueryMessage {
  readonly service?: string | undefined;
  readonly operation?: string | undefined;
  readonly tags: readonly {
    readonly key?: string;
    readonly value?: string;
    readonly isPattern?: boolean | undefined;
    readonly isNegated?: boolean | undefined;
  }[];
  readonly startMinNs?: bigint;
  readonly startMaxNs?: bigint;
  readonly durationMinNs?: bigint | undefined;
  readonly durationMaxNs?: bigint | undefined;
  /** A jaeger.expression.v1.Call. */
  readonly filter?: Uint8Array | undefined;
  readonly limit?: number;
  readonly lastUnit?: { readonly startNs?: bigint; readonly tracesMax?: number } | undefined;
}

/** Of a query with a filter, the filter as it came. */
export function queryMessageOf({ filterMessage, ...query }: TraceQuery): QueryMessage {
  assert(query.filter === undefined || filterMessage !== undefined, 'a filter that came without its message');
  return { ...query, filter: filterMessage };
}

/** The query without its filter, which the caller parses. */
export function queryOfMessage(message: QueryMessage): TraceQuery {
  const {
    service,
    operation,
    tags,
    startMinNs = 0n,
    startMaxNs = 0n,
    durationMinNs,
    durationMaxNs,
    limit = 0,
  } = message;
  const query = { service, operation, startMinNs, startMaxNs, durationMinNs, durationMaxNs, limit };
  const { startNs = 0n, tracesMax = 0 } = message.lastUnit ?? {};
  return {
    ...query,
    tags: tags.map(({ key = '', value = '', isPattern = false, isNegated = false }) => ({
      key,
      value,
      isPattern,
      isNegated,
    })),
    ...(message.lastUnit === undefined ? {} : { lastUnit: { startNs, tracesMax } }),
  };
}

export interface HitsMessage {
  readonly hits: readonly { readonly traceId?: Uint8Array; readonly matchedStartNs?: bigint }[];
}

/** With copies of the ids, so that a hit does not keep its whole message. */
export function hitsOf({ hits }: HitsMessage): SearchHit[] {
  return hits.map(({ traceId = new Uint8Array(0), matchedStartNs = 0n }) => {
    if (traceId.length !== 16) throw new StoreError('UNAVAILABLE', 'a storage node sent a hit without a trace id');
    return { traceId: new Uint8Array(traceId), matchedStartNs };
  });
}

export interface LinksMessage {
  readonly links: readonly {
    readonly parent?: string;
    readonly child?: string;
    readonly callCount?: bigint;
    readonly errorCount?: bigint;
  }[];
}

export function linksMessageOf(links: readonly Dependency[]): LinksMessage {
  return {
    links: links.map(({ parent, child, callCount, errorCount }) => {
      return { parent, child, callCount: BigInt(callCount), errorCount: BigInt(errorCount) };
    }),
  };
}

export function linksOf({ links }: LinksMessage): Dependency[] {
  return links.map(({ parent = '', child = '', callCount = 0n, errorCount = 0n }) => {
    return { parent, child, callCount: Number(callCount), errorCount: Number(errorCount) };
  });
}

export interface SeriesMessage {
  readonly service?: string;
  readonly operation?: string | undefined;
  readonly minutes: readonly number[];
  readonly calls: readonly number[];
  readonly errors: readonly number[];
  readonly bucketEnds: readonly number[];
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
}

export function seriesMessageOf(series: CallSeries): SeriesMessage {
  const { service, operation, minutes, calls, errors, bucketEnds, buckets, counts } = series;
  return {
    service,
    operation,
    minutes: [...minutes],
    calls: [...calls],
    errors: [...errors],
    bucketEnds: [...bucketEnds],
    buckets: [...buckets],
    counts: [...counts],
  };
}

export function seriesOf({ service = '', operation, ...lists }: SeriesMessage): CallSeries {
  if (!fitTogether(lists)) throw new StoreError('UNAVAILABLE', `a storage node sent a broken series of ${service}`);
  return {
    service,
    operation,
    minutes: Float64Array.from(lists.minutes),
    calls: Float64Array.from(lists.calls),
    errors: Float64Array.from(lists.errors),
    bucketEnds: Uint32Array.from(lists.bucketEnds),
    buckets: Uint16Array.from(lists.buckets),
    counts: Float64Array.from(lists.counts),
  };
}

/** A number for each minute, a range of buckets for each minute, a count for each bucket. */
function fitTogether(lists: Omit<SeriesMessage, 'service' | 'operation'>): boolean {
  const { minutes, calls, errors, bucketEnds, buckets, counts } = lists;
  const rows = minutes.length;
  return (
    [calls, errors, bucketEnds].every(({ length }) => length === rows) &&
    counts.length === buckets.length &&
    (bucketEnds[rows - 1] ?? 0) === buckets.length &&
    bucketEnds.every((end, i) => end >= (bucketEnds[i - 1] ?? 0)) &&
    buckets.every((bucket) => bucket < LATENCY_BUCKETS)
  );
}

export interface SeriesRequestMessage {
  readonly services: readonly string[];
  readonly kinds: readonly number[];
  readonly startNs?: bigint;
  readonly endNs?: bigint;
  readonly isByOperation?: boolean;
}

export function metricsQueryOf(message: SeriesRequestMessage): MetricsQuery {
  const { services, kinds, startNs = 0n, endNs = 0n, isByOperation = false } = message;
  return { services, kinds, startNs, endNs, isByOperation };
}

export interface ExplainMessage {
  readonly partitions?: bigint;
  readonly parts?: bigint;
  readonly blocks?: bigint;
  readonly logBlocks?: bigint;
  readonly fates: Readonly<Record<string, bigint>>;
  readonly bytes?: bigint;
  readonly traces?: bigint;
  readonly waitedMs?: number;
  readonly tookMs?: number;
}

export function explainMessageOf(explanation: SearchExplanation): ExplainMessage {
  const { partitions, parts, blocks, logBlocks, fates, bytes, traces, waitedMs, tookMs } = explanation;
  return {
    partitions: BigInt(partitions),
    parts: BigInt(parts),
    blocks: BigInt(blocks),
    logBlocks: BigInt(logBlocks),
    fates: Object.fromEntries(Object.entries(fates).map(([fate, count]) => [fate, BigInt(count)])),
    bytes: BigInt(bytes),
    traces: BigInt(traces),
    waitedMs,
    tookMs,
  };
}

export function explanationOf(message: ExplainMessage, marked: Marked): SearchExplanation {
  const { partitions = 0n, parts = 0n, blocks = 0n, logBlocks = 0n, fates, bytes = 0n, traces = 0n } = message;
  return {
    partitions: Number(partitions),
    parts: Number(parts),
    blocks: Number(blocks),
    logBlocks: Number(logBlocks),
    fates: Object.fromEntries(
      BLOCK_FATES.map((fate) => [fate, Number(fates[fate] ?? 0n)]),
    ) as SearchExplanation['fates'],
    bytes: Number(bytes),
    traces: Number(traces),
    waitedMs: message.waitedMs ?? 0,
    tookMs: message.tookMs ?? 0,
    warnings: marked.warnings,
  };
}
