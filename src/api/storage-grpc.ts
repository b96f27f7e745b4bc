// jaeger.storage.v2: what Jaeger asks of a remote storage (contract/jaeger.md §5.3). Every message of a stream has spans of
// one trace, consecutive messages may continue it, none is empty; traces that do not exist yield nothing. Hints of times are
// not needed: the trace is read whole, from every day.
import type { Server } from '@grpc/grpc-js';
import { StoreError } from '../base/errors.ts';
import { textOfAnyValue } from '../otlp/attributes.ts';
import { formatTraceId } from '../trace/ids.ts';
import type { FoundTraces, TraceReader } from '../trace/store.ts';
import type { TagCondition } from '../trace/trace-query.ts';
import { registerService, type GrpcCall, type GrpcCallOptions, type Reply } from './grpc-call.ts';
import { encodeMessage, messageType } from './grpc-schema.ts';
import {
  TIME_MAX_NS,
  timestampNs,
  timestampOf,
  toSearch,
  traceIdOf,
  type ProtoTime,
  type SearchMessage,
} from './grpc-search.ts';
import { kindName, kindNumber } from './jaeger-json.ts';
import { splitTrace } from './split-trace.ts';
import { summarizeTrace, type TraceSummary } from './trace-summary.ts';

export interface JaegerGrpcOptions extends GrpcCallOptions {
  readonly reader: TraceReader;
  /** Highest depth of a search, and most traces one request may name. */
  readonly maxTraces: number;
}

/** Traces read at a time where the request names them: bounds what one call holds. */
const TRACES_PER_READ = 16;
const SUMMARIES_PER_MESSAGE = 100;

/** Registers TraceReader, DependencyReader and Capabilities. */
export function registerStorageServices(server: Server, options: JaegerGrpcOptions): void {
  registerService(
    server,
    'jaeger.storage.v2.TraceReader',
    {
      unary: {
        GetServices: (_request, call) => listServices(options, call),
        GetOperations: (request: OperationsRequest, call) => listOperations(options, request, call),
        FindTraceIDs: (request: SearchRequest, call) => findTraceIds(options, request, call),
      },
      streams: {
        GetTraces: (request: GetTracesRequest, call) => getTraces(options, request, call),
        FindTraces: (request: SearchRequest, call) => findTraces(options, request, call),
        FindTraceSummaries: (request: SearchRequest, call) => findSummaries(options, request, call),
      },
    },
    options,
  );
  registerService(
    server,
    'jaeger.storage.v2.DependencyReader',
    { unary: { GetDependencies: (request: DependenciesRequest, call) => getDependencies(options, request, call) } },
    options,
  );
  registerService(server, 'jaeger.storage.v2.Capabilities', { unary: { GetCapabilities: getCapabilities } }, options);
}

/** The names of all services; the message is the same in all of Jaeger's APIs. */
export async function listServices({ reader }: JaegerGrpcOptions, { tenant, signal }: GrpcCall): Promise<Reply> {
  return { services: await reader.listServices(tenant, signal) };
}

export interface OperationsRequest {
  readonly service?: string;
  /** "" for all; an unknown one matches nothing. */
  readonly spanKind?: string;
}

/** Operations with the names of their kinds, "" for unspecified, each pair once. */
export async function listOperations(
  { reader }: JaegerGrpcOptions,
  { service = '', spanKind = '' }: OperationsRequest,
  { tenant, signal }: GrpcCall,
): Promise<{ readonly operations: { readonly name: string; readonly spanKind: string }[] }> {
  const kind = kindNumber(spanKind);
  if (service === '' || kind < 0) return { operations: [] };
  const found = await reader.listOperations(tenant, service, kind === 0 ? undefined : kind, signal);
  // Kinds that OTLP does not know have the same name, none.
  const operations = found.map((operation) => ({ name: operation.name, spanKind: kindName(operation.kind) }));
  return { operations: [...new Map(operations.map((shown) => [JSON.stringify(shown), shown])).values()] };
}

interface GetTracesRequest {
  readonly query: readonly { readonly traceId?: Uint8Array }[];
}

async function* getTraces(
  { reader, maxTraces }: JaegerGrpcOptions,
  { query }: GetTracesRequest,
  call: GrpcCall,
): AsyncGenerator<Reply, void, undefined> {
  const ids = [
    ...new Map(query.map(({ traceId }) => traceIdOf(traceId)).map((id) => [formatTraceId(id), id])).values(),
  ];
  if (ids.length > maxTraces) {
    throw new StoreError(
      'INVALID_REQUEST',
      `query: at most ${maxTraces} traces (-search.maxTraces) may be named, received: ${ids.length}`,
    );
  }
  for (let from = 0; from < ids.length; from += TRACES_PER_READ) {
    const found = await reader.findTraces(call.tenant, ids.slice(from, from + TRACES_PER_READ), call.signal);
    yield* traceMessages(found, call);
  }
}

/** The found traces as messages of TracesData. */
export function* traceMessages(
  { traces, warnings }: FoundTraces,
  call: GrpcCall,
): Generator<Uint8Array, void, undefined> {
  call.warn(warnings);
  for (const { otlp } of traces) yield* splitTrace(otlp);
}

interface SearchRequest {
  readonly query?: SearchMessage & { readonly attributes: readonly Attribute[]; readonly filter?: object };
}

interface Attribute {
  readonly key?: string;
  /** An AnyValue. */
  readonly value?: object;
}

async function search(
  { reader, maxTraces }: JaegerGrpcOptions,
  { query: message }: SearchRequest,
  call: GrpcCall,
): Promise<FoundTraces> {
  if (message === undefined) throw new StoreError('INVALID_REQUEST', 'missing query');
  refuseFilter(message);
  const { query, isHopeless } = toSearch(message, message.attributes.map(tagOf), maxTraces);
  return isHopeless ? { traces: [], warnings: [] } : await reader.searchTraces(call.tenant, query, call.signal);
}

/** A filter left out would be a search for everything. */
export function refuseFilter({ filter }: { readonly filter?: object }): void {
  if (filter !== undefined) throw new StoreError('INVALID_REQUEST', 'query.filter is not supported by this server');
}

const anyValue = messageType('jaeger.storage.v2.AnyValue');

/** Values are compared by their text, whatever their type (§7.1). The message is OTLP's AnyValue under another name. */
function tagOf({ key = '', value = {} }: Attribute): TagCondition {
  return { key, value: textOfAnyValue(encodeMessage(anyValue, value)) };
}

async function* findTraces(
  options: JaegerGrpcOptions,
  request: SearchRequest,
  call: GrpcCall,
): AsyncGenerator<Reply, void, undefined> {
  yield* traceMessages(await search(options, request, call), call);
}

/** With the bounds of the whole trace, so that they serve as hints of GetTraces. */
async function findTraceIds(options: JaegerGrpcOptions, request: SearchRequest, call: GrpcCall): Promise<Reply> {
  const { traces, warnings } = await search(options, request, call);
  call.warn(warnings);
  const traceIds = traces.flatMap((trace) => {
    const summary = summarizeTrace(trace);
    if (summary === undefined) return [];
    return [{ traceId: trace.traceId, start: timestampOf(summary.startNs), end: timestampOf(summary.endNs) }];
  });
  return { traceIds };
}

async function* findSummaries(
  options: JaegerGrpcOptions,
  request: SearchRequest,
  call: GrpcCall,
): AsyncGenerator<Reply, void, undefined> {
  yield* summaryMessages(await search(options, request, call), call, ({ traceId }) => traceId);
}

/** The summaries in messages that are never empty; `idOf` is what an API calls a trace id. */
export function* summaryMessages(
  { traces, warnings }: FoundTraces,
  call: GrpcCall,
  idOf: (summary: TraceSummary) => Uint8Array | string,
): Generator<object, void, undefined> {
  call.warn(warnings);
  for (let from = 0; from < traces.length; from += SUMMARIES_PER_MESSAGE) {
    const found = traces.slice(from, from + SUMMARIES_PER_MESSAGE).map(summarizeTrace);
    yield { summaries: found.flatMap((summary) => (summary === undefined ? [] : [summaryMessage(summary, idOf)])) };
  }
}

function summaryMessage(summary: TraceSummary, idOf: (summary: TraceSummary) => Uint8Array | string): object {
  const { root, startNs, endNs, spans, errors, orphans, services } = summary;
  return {
    traceId: idOf(summary),
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

export interface DependenciesRequest {
  readonly startTime?: ProtoTime;
  readonly endTime?: ProtoTime;
}

async function getDependencies(
  { reader }: JaegerGrpcOptions,
  { startTime, endTime }: DependenciesRequest,
  { tenant, signal }: GrpcCall,
): Promise<Reply> {
  const startNs = timestampNs(startTime) ?? 0n;
  const endNs = timestampNs(endTime) ?? TIME_MAX_NS;
  if (startNs > endNs) return { dependencies: [] };
  return { dependencies: await reader.listDependencies(tenant, startNs, endNs, signal) };
}

/** What is said here, Jaeger relies on: nothing that does not work. */
async function getCapabilities(): Promise<Reply> {
  return { search: { withoutServiceName: true, sameSpanConjunction: true } };
}
