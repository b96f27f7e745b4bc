// Answers that Jaeger's three gRPC APIs share: names, links, traces and summaries. Traces that are being sent count against
// the budget of answers until the client has their last message.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { warningsOf } from '../edge/partial-answers.ts';
import { traceNotFound } from '../edge/status.ts';
import type { FoundTrace, FoundTraces, TraceArchive, TraceReader } from '../../trace/store.ts';
import { withValidText } from '../../otlp/valid-text.ts';
import { formatTraceId } from '../../trace/ids.ts';
import type { AnswerBudget } from '../edge/answer-budget.ts';
import type { GrpcCall, GrpcCallOptions, Replies, Reply } from '../grpc/grpc-call.ts';
import { clientLeft } from '../grpc/grpc-stream.ts';
import { timestampNs, type ProtoTime, type SearchBounds } from '../jaeger/grpc-search.ts';
import { overfullWarnings, TIME_MAX_NS, type Search } from '../jaeger/search-bounds.ts';
import { exactKindName, kindName, kindNumber } from '../../trace/span-kinds.ts';
import { splitTrace } from '../jaeger/split-trace.ts';
import { summarizeTrace, type TraceSummary } from '../jaeger/trace-summary.ts';

export interface JaegerGrpcOptions extends GrpcCallOptions, SearchBounds {
  readonly reader: TraceReader;
  readonly answers: AnswerBudget;
  /** undefined: nothing can be archived. */
  readonly archive: TraceArchive | undefined;
}

const SUMMARIES_PER_MESSAGE = 100;
/** OTLP bytes processed before other work gets a turn: some ms. */
const BYTES_PER_TURN = 1 << 20;

export async function listServices({ reader }: JaegerGrpcOptions, _request: object, call: GrpcCall): Promise<Reply> {
  const listed = await reader.listServices(call);
  call.mark(listed);
  return { services: listed.items };
}

export interface OperationsRequest {
  readonly service?: string;
  /** "" means all kinds; an unknown one matches nothing. */
  readonly spanKind?: string;
}

export interface OperationsReply {
  readonly operations: readonly { readonly name: string; readonly spanKind: string }[];
}

/** Operations with the names of their kinds, "" for unspecified, each pair once. */
export async function listOperations(
  { reader }: JaegerGrpcOptions,
  { service = '', spanKind = '' }: OperationsRequest,
  call: GrpcCall,
): Promise<OperationsReply> {
  const kind = kindNumber(spanKind);
  if (service === '' || kind < 0) return { operations: [] };
  const found = await reader.listOperations(call, service, kind === 0 ? undefined : kind);
  call.mark(found);
  // Kinds that OTLP does not know are all shown as the empty name.
  const wordOf = call.isExact ? exactKindName : kindName;
  const operations = found.items.map(({ name, kind }) => ({ name, spanKind: wordOf(kind) }));
  return { operations: [...new Map(operations.map((shown) => [JSON.stringify(shown), shown])).values()] };
}

export interface DependenciesRequest {
  readonly startTime?: ProtoTime;
  readonly endTime?: ProtoTime;
}

/** Links of a window; a missing time leaves that end open. */
export async function listDependencies(
  { reader }: JaegerGrpcOptions,
  { startTime, endTime }: DependenciesRequest,
  call: GrpcCall,
): Promise<Reply> {
  const startNs = timestampNs(startTime) ?? 0n;
  const endNs = timestampNs(endTime) ?? TIME_MAX_NS;
  if (startNs > endNs) return { dependencies: [] };
  const found = await reader.listDependencies(call, startNs, endNs);
  call.mark(found);
  return { dependencies: found.links.map(({ parent, child, callCount }) => ({ parent, child, callCount })) };
}

/** Searches, unless the request cannot match anything. */
export async function search(
  { reader }: JaegerGrpcOptions,
  { query, isHopeless, warnings: changed }: Search,
  call: GrpcCall,
): Promise<FoundTraces> {
  if (isHopeless) return { traces: [], warnings: changed };
  const found = await reader.findNewest(call, query);
  return { ...found, warnings: [...changed, ...overfullWarnings(query, found.traces.length), ...found.warnings] };
}

/** One trace. Throws NOT_FOUND. */
export async function findTrace(
  { reader }: JaegerGrpcOptions,
  traceId: Uint8Array,
  call: GrpcCall,
): Promise<FoundTraces> {
  const found = await reader.findTraces(call, [traceId]);
  if (found.traces.length === 0) throw traceNotFound(warningsOf(found));
  return found;
}

/**
 * Yields the results of `partsOf` for each trace. The traces count against the budget of answers until the last part is
 * taken. Tells the client what they lack, and gives turns to other work. Throws OVERLOADED, CANCELLED.
 */
export async function* eachTrace<Part>(
  { answers }: JaegerGrpcOptions,
  found: FoundTraces,
  call: GrpcCall,
  partsOf: (trace: FoundTrace) => Iterable<Part> | AsyncIterable<Part>,
): AsyncGenerator<Part, void, undefined> {
  const { traces } = found;
  const taken = new AbortController();
  answers.hold(traces, taken.signal);
  try {
    call.mark(found);
    let bytes = 0;
    for (const trace of traces) {
      yield* partsOf(trace);
      bytes += trace.otlp.length;
      if (bytes < BYTES_PER_TURN) continue;
      bytes = 0;
      await nextTurn();
      if (call.signal.aborted) throw clientLeft();
    }
    await call.taken();
  } finally {
    taken.abort();
  }
}

/** The traces as messages of TracesData; for another node one each, unchanged. */
export function sendOtlp(options: JaegerGrpcOptions, found: FoundTraces, call: GrpcCall): Replies {
  return eachTrace(options, found, call, (trace) => (call.isExact ? [trace.otlp] : validMessages(trace, call)));
}

function* validMessages({ traceId, otlp }: FoundTrace, call: GrpcCall): Generator<Uint8Array, void, undefined> {
  for (const message of splitTrace(otlp)) {
    const valid = withValidText(message);
    if (valid !== message) {
      call.warn([
        `trace ${formatTraceId(traceId)} has text that is not UTF-8: sent as bytes, or with U+FFFD in its place`,
      ]);
    }
    yield valid;
  }
}

/** The summary of each trace. */
export function summarizeAll(
  options: JaegerGrpcOptions,
  found: FoundTraces,
  call: GrpcCall,
): AsyncGenerator<TraceSummary, void, undefined> {
  return eachTrace(options, found, call, (trace) => {
    const summary = summarizeTrace(trace);
    return summary === undefined ? [] : [summary];
  });
}

/** The summaries in messages that are never empty; `idOf` formats a trace id for the API. */
export async function* sendSummaries(
  options: JaegerGrpcOptions,
  found: FoundTraces,
  call: GrpcCall,
  idOf: (traceId: Uint8Array) => Uint8Array | string,
): Replies {
  let summaries: object[] = [];
  for await (const summary of summarizeAll(options, found, call)) {
    summaries.push(summaryMessage(summary, idOf));
    if (summaries.length < SUMMARIES_PER_MESSAGE) continue;
    yield { summaries };
    summaries = [];
  }
  if (summaries.length > 0) yield { summaries };
}

function summaryMessage(summary: TraceSummary, idOf: (traceId: Uint8Array) => Uint8Array | string): object {
  const { traceId, root, startNs, endNs, spans, errors, orphans, services } = summary;
  return {
    traceId: idOf(traceId),
    rootServiceName: root?.service,
    rootOperationName: root?.operation,
    minStartTimeUnixNano: String(startNs),
    maxEndTimeUnixNano: String(endNs),
    spanCount: spans,
    errorSpanCount: errors,
    orphanSpanCount: orphans,
    services: services.map((service) => ({
      name: service.name,
      spanCount: service.spans,
      errorSpanCount: service.errors,
    })),
  };
}
