// The answers of several nodes as one: exactly what one node with all their spans answers, as long as no trace lies on two of
// them (a trace that does is shown whole; its calls are counted where they lie). Pure.
import { isStoreError, StoreError } from '../base/errors.ts';
import { compareOperations } from '../index/names.ts';
import { idKey, joinTrace } from '../query/find-traces.ts';
import { compareUtf8 } from '../trace/attributes.ts';
import { LATENCY_BUCKETS } from '../trace/latency-buckets.ts';
import { BLOCK_FATES, type SearchExplanation } from '../trace/search-explanation.ts';
import type { CallSeries, Dependency, FoundIds, FoundTrace, Operation, SearchHit } from '../trace/store.ts';
import { answerSize, type TraceQuery } from '../trace/trace-query.ts';

export function mergeServices(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort(compareUtf8);
}

export function mergeOperations(lists: readonly (readonly Operation[])[]): Operation[] {
  const all = lists.flat().sort(compareOperations);
  return all.filter((operation, i) => i === 0 || compareOperations(operation, all[i - 1]!) !== 0);
}

/** Each trace with its latest match, the latest first, as many as one node would give. */
export function mergeHits(pages: readonly (readonly SearchHit[])[], query: TraceQuery): SearchHit[] {
  const byId = new Map<string, SearchHit>();
  for (const hit of pages.flat()) {
    const known = byId.get(idKey(hit.traceId));
    if (known === undefined || hit.matchedStartNs > known.matchedStartNs) byId.set(idKey(hit.traceId), hit);
  }
  const hits = [...byId.values()].sort((x, y) => {
    if (x.matchedStartNs !== y.matchedStartNs) return x.matchedStartNs > y.matchedStartNs ? -1 : 1;
    return Buffer.compare(x.traceId, y.traceId);
  });
  const unitNs = query.lastUnit?.startNs ?? 0n;
  return hits.slice(
    0,
    answerSize(query, hits.length, (i) => hits[i]!.matchedStartNs < unitNs),
  );
}

/** Summed, sorted by (parent, child). */
export function mergeLinks(lists: readonly (readonly Dependency[])[]): Dependency[] {
  const sums = new Map<string, Dependency>();
  for (const link of lists.flat()) {
    const { parent, child } = link;
    const key = JSON.stringify([parent, child]);
    const { callCount = 0, errorCount = 0 } = sums.get(key) ?? {};
    const errors = errorCount + link.errorCount;
    sums.set(key, { parent, child, callCount: callCount + link.callCount, errorCount: errors });
  }
  return [...sums.values()].sort((x, y) => compareUtf8(x.parent, y.parent) || compareUtf8(x.child, y.child));
}

/** Summed minute by minute and bucket by bucket, sorted by (service, operation). */
export function mergeSeries(lists: readonly (readonly CallSeries[])[]): CallSeries[] {
  const byName = new Map<string, CallSeries[]>();
  for (const series of lists.flat()) {
    const key = JSON.stringify([series.service, series.operation]);
    const same = byName.get(key);
    if (same === undefined) byName.set(key, [series]);
    else same.push(series);
  }
  return [...byName.values()]
    .map((same) => (same.length === 1 ? same[0]! : sumSeries(same)))
    .sort((x, y) => compareUtf8(x.service, y.service) || compareUtf8(x.operation ?? '', y.operation ?? ''));
}

interface MinuteSum {
  calls: number;
  errors: number;
  readonly counts: Float64Array;
}

function sumSeries(same: readonly CallSeries[]): CallSeries {
  const sums = new Map<number, MinuteSum>();
  for (const { minutes, calls, errors, bucketEnds, buckets, counts } of same) {
    for (let i = 0; i < minutes.length; i++) {
      let sum = sums.get(minutes[i]!);
      if (sum === undefined) {
        sum = { calls: 0, errors: 0, counts: new Float64Array(LATENCY_BUCKETS) };
        sums.set(minutes[i]!, sum);
      }
      sum.calls += calls[i]!;
      sum.errors += errors[i]!;
      for (let at = bucketEnds[i - 1] ?? 0; at < bucketEnds[i]!; at++) sum.counts[buckets[at]!]! += counts[at]!;
    }
  }
  const rows = [...sums].sort(([x], [y]) => x - y);
  const entries = rows.map(([, { counts }]) => [...counts.entries()].filter(([, count]) => count !== 0));
  const all = entries.flat();
  let end = 0;
  const { service, operation } = same[0]!;
  return {
    service,
    operation,
    minutes: Float64Array.from(rows, ([minute]) => minute),
    calls: Float64Array.from(rows, ([, { calls }]) => calls),
    errors: Float64Array.from(rows, ([, { errors }]) => errors),
    bucketEnds: Uint32Array.from(entries, (found) => (end += found.length)),
    buckets: Uint16Array.from(all, ([bucket]) => bucket),
    counts: Float64Array.from(all, ([, count]) => count),
  };
}

/**
 * The trace from the pieces that there are of it. Nearly always there is one: then its bytes are the answer. Throws UNAVAILABLE if
 * they are no pieces of one trace.
 */
export function joinPieces(pieces: readonly FoundTrace[]): FoundTrace[] {
  const [first, ...others] = pieces;
  if (first === undefined) return [];
  const different = others.filter(({ otlp }) => Buffer.compare(otlp, first.otlp) !== 0);
  if (different.length === 0) return [first];
  try {
    return [{ traceId: first.traceId, otlp: joinTrace([first, ...different].map(({ otlp }) => otlp)) }];
  } catch (cause) {
    if (!isStoreError(cause, 'INVALID_REQUEST')) throw cause;
    throw new StoreError('UNAVAILABLE', `a storage node sent a malformed trace: ${cause.message}`, { cause });
  }
}

/** The ids among `wanted` that one of the answers has, in that order. */
export function mergeIds(answers: readonly Pick<FoundIds, 'traceIds'>[], wanted: readonly Uint8Array[]): Uint8Array[] {
  const found = new Set(answers.flatMap(({ traceIds }) => traceIds.map(idKey)));
  return wanted.filter((traceId) => found.has(idKey(traceId)));
}

/** Work summed, times of the slowest, and as many traces as one answer to `query` has. */
export function mergeExplanations(
  explanations: readonly SearchExplanation[],
  query: Pick<TraceQuery, 'limit' | 'lastUnit'>,
): Omit<SearchExplanation, 'warnings'> {
  const sum = (of: (explanation: SearchExplanation) => number): number =>
    explanations.reduce((total, explanation) => total + of(explanation), 0);
  const slowest = (of: (explanation: SearchExplanation) => number): number => Math.max(0, ...explanations.map(of));
  return {
    partitions: sum(({ partitions }) => partitions),
    parts: sum(({ parts }) => parts),
    blocks: sum(({ blocks }) => blocks),
    logBlocks: sum(({ logBlocks }) => logBlocks),
    fates: Object.fromEntries(
      BLOCK_FATES.map((fate) => [fate, sum(({ fates }) => fates[fate])]),
    ) as SearchExplanation['fates'],
    bytes: sum(({ bytes }) => bytes),
    traces: Math.min(
      sum(({ traces }) => traces),
      query.lastUnit?.tracesMax ?? query.limit,
    ),
    waitedMs: slowest(({ waitedMs }) => waitedMs),
    tookMs: slowest(({ tookMs }) => tookMs),
  };
}
