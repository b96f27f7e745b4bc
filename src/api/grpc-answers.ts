// What Jaeger's three gRPC APIs answer alike: names, links, traces and summaries. Traces that are being sent count against
// the budget of answers until their last message is with the client.
import { StoreError } from '../base/errors.ts';
import type { FoundTrace, FoundTraces, TraceArchive, TraceReader } from '../trace/store.ts';
import type { AnswerBudget } from './answer-budget.ts';
import type { GrpcCall, GrpcCallOptions, Reply } from './grpc-call.ts';
import { TIME_MAX_NS, timestampNs, type GrpcSearch, type ProtoTime, type SearchBounds } from './grpc-search.ts';
import { kindName, kindNumber } from './jaeger-span.ts';
import { splitTrace } from './split-trace.ts';
import { summarizeTrace, type TraceSummary } from './trace-summary.ts';

export interface JaegerGrpcOptions extends GrpcCallOptions, SearchBounds {
  readonly reader: TraceReader;
  readonly answers: AnswerBudget;
  /** undefined: nothing can be archived. */
  readonly archive: TraceArchive | undefined;
}

/** A stream of messages as the library is given them. */
export type Replies = AsyncGenerator<Reply, void, undefined>;

const SUMMARIES_PER_MESSAGE = 100;

/** The names of all services. */
export async function listServices(
  { reader }: JaegerGrpcOptions,
  _request: object,
  { tenant, signal }: GrpcCall,
): Promise<Reply> {
  return { services: await reader.listServices(tenant, signal) };
}

export interface OperationsRequest {
  readonly service?: string;
  /** "" for all; an unknown one matches nothing. */
  readonly spanKind?: string;
}

export interface OperationsReply {
  readonly operations: readonly { readonly name: string; readonly spanKind: string }[];
}

/** Operations with the names of their kinds, "" for unspecified, each pair once. */
export async function listOperations(
  { reader }: JaegerGrpcOptions,
  { service = '', spanKind = '' }: OperationsRequest,
  { tenant, signal }: GrpcCall,
): Promise<OperationsReply> {
  const kind = kindNumber(spanKind);
  if (service === '' || kind < 0) return { operations: [] };
  const found = await reader.listOperations(tenant, service, kind === 0 ? undefined : kind, signal);
  // Kinds that OTLP does not know have the same name, none.
  const operations = found.map((operation) => ({ name: operation.name, spanKind: kindName(operation.kind) }));
  return { operations: [...new Map(operations.map((shown) => [JSON.stringify(shown), shown])).values()] };
}

export interface DependenciesRequest {
  readonly startTime?: ProtoTime;
  readonly endTime?: ProtoTime;
}

/** Links of a window; without a time it is open at that end. */
export async function listDependencies(
  { reader }: JaegerGrpcOptions,
  { startTime, endTime }: DependenciesRequest,
  { tenant, signal }: GrpcCall,
): Promise<Reply> {
  const startNs = timestampNs(startTime) ?? 0n;
  const endNs = timestampNs(endTime) ?? TIME_MAX_NS;
  if (startNs > endNs) return { dependencies: [] };
  const links = await reader.listDependencies(tenant, startNs, endNs, signal);
  return { dependencies: links.map(({ parent, child, callCount }) => ({ parent, child, callCount })) };
}

/** Searches, unless nothing can be found. */
export async function search(
  { reader }: JaegerGrpcOptions,
  { query, isHopeless }: GrpcSearch,
  call: GrpcCall,
): Promise<FoundTraces> {
  return isHopeless ? { traces: [], warnings: [] } : await reader.searchTraces(call.tenant, query, call.signal);
}

/** One trace. Throws NOT_FOUND. */
export async function findTrace(
  { reader }: JaegerGrpcOptions,
  traceId: Uint8Array,
  call: GrpcCall,
): Promise<FoundTraces> {
  const found = await reader.findTraces(call.tenant, [traceId], call.signal);
  if (found.traces.length === 0) throw new StoreError('NOT_FOUND', 'trace not found');
  return found;
}

/** The messages that `messagesOf` makes of each trace; warnings go with them. Throws OVERLOADED. */
export async function* sendTraces(
  { answers }: JaegerGrpcOptions,
  { traces, warnings }: FoundTraces,
  call: GrpcCall,
  messagesOf: (trace: FoundTrace) => Iterable<Reply> | AsyncIterable<Reply>,
): Replies {
  const sent = new AbortController();
  answers.hold(traces, sent.signal);
  try {
    call.warn(warnings);
    for (const trace of traces) yield* messagesOf(trace);
  } finally {
    sent.abort();
  }
}

/** The same as messages of TracesData. */
export function sendOtlp(options: JaegerGrpcOptions, found: FoundTraces, call: GrpcCall): Replies {
  return sendTraces(options, found, call, ({ otlp }) => splitTrace(otlp));
}

/** Their summaries, in messages that are never empty; `idOf` is what an API calls a trace id. */
export function* summaryMessages(
  { traces, warnings }: FoundTraces,
  call: GrpcCall,
  idOf: (traceId: Uint8Array) => Uint8Array | string,
): Generator<object, void, undefined> {
  call.warn(warnings);
  for (let from = 0; from < traces.length; from += SUMMARIES_PER_MESSAGE) {
    const found = traces.slice(from, from + SUMMARIES_PER_MESSAGE).map(summarizeTrace);
    yield { summaries: found.flatMap((summary) => (summary === undefined ? [] : [summaryMessage(summary, idOf)])) };
  }
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
