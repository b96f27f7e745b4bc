// jaeger.api_v2.QueryService, Jaeger's legacy API over gRPC (contract/jaeger.md §5.1): spans in chunks of ten, adjusted like
// the legacy JSON unless raw.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { StoreError } from '../../base/errors.ts';
import { warningsOf } from '../edge/partial-answers.ts';
import { traceNotFound } from '../edge/status.ts';
import type { FoundTrace, FoundTraces, TraceArchive } from '../../trace/store.ts';
import {
  eachTrace,
  findTrace,
  listDependencies,
  listOperations,
  listServices,
  search,
  type DependenciesRequest,
  type JaegerGrpcOptions,
  type OperationsRequest,
} from './grpc-answers.ts';
import { registerService, type GrpcCall, type Replies, type Reply } from '../grpc/grpc-call.ts';
import type { GrpcMethodTable } from '../grpc/grpc-server.ts';
import { checkTags, legacyTraceIdOf, timestampNs, toSearch, type SearchMessage } from '../jaeger/grpc-search.ts';
import { readTraceInTurns } from '../jaeger/jaeger-model.ts';
import { jaegerSpanChunks } from '../jaeger/jaeger-protobuf.ts';

export const API_V2 = 'jaeger.api_v2.QueryService';

/** Registers the service; without an archive ArchiveTrace is UNIMPLEMENTED. */
export function registerApiV2(server: GrpcMethodTable, options: JaegerGrpcOptions): void {
  const unary = { GetServices: listServices, GetOperations: getOperations, GetDependencies: getDependencies };
  const { archive } = options;
  const archiving = archive === undefined ? {} : { ArchiveTrace: archiveIn(archive) };
  const streams = { GetTrace: getTrace, FindTraces: findTraces };
  registerService(server, API_V2, { unary: { ...unary, ...archiving }, streams }, options);
}

interface GetTraceRequest {
  readonly traceId?: Uint8Array;
  readonly rawTraces?: boolean;
}

async function* getTrace(
  options: JaegerGrpcOptions,
  { traceId, rawTraces = false }: GetTraceRequest,
  call: GrpcCall,
): Replies {
  yield* sendSpans(options, await findTrace(options, legacyTraceIdOf(traceId), call), call, rawTraces);
}

interface SearchRequest {
  readonly query?: SearchMessage & { readonly tags: Readonly<Record<string, string>>; readonly rawTraces?: boolean };
}

async function* findTraces(options: JaegerGrpcOptions, { query }: SearchRequest, call: GrpcCall): Replies {
  if (query === undefined) throw new StoreError('INVALID_REQUEST', 'missing query');
  const found = await search(options, toSearch(query, checkTags(Object.entries(query.tags)), options), call);
  yield* sendSpans(options, found, call, query.rawTraces ?? false);
}

function sendSpans(options: JaegerGrpcOptions, found: FoundTraces, call: GrpcCall, isRaw: boolean): Replies {
  return eachTrace(options, found, call, (trace) => spanChunks(trace, isRaw));
}

/** During work on a big trace, other work gets turns in which nothing is sent. */
async function* spanChunks({ otlp }: FoundTrace, isRaw: boolean): AsyncGenerator<Uint8Array, void, undefined> {
  const reading = readTraceInTurns(otlp);
  let step = reading.next();
  for (; step.done !== true; step = reading.next()) await nextTurn();
  if (step.value === undefined) return;
  for (const chunk of jaegerSpanChunks(step.value, isRaw)) {
    if (chunk.length === 0) await nextTurn();
    else yield chunk;
  }
}

function archiveIn(archive: TraceArchive) {
  return async (_options: unknown, { traceId }: GetTraceRequest, call: GrpcCall): Promise<Reply> => {
    const archived = await archive.archiveTrace(call, legacyTraceIdOf(traceId));
    call.mark(archived);
    if (!archived.isFound) throw traceNotFound(warningsOf(archived));
    return {};
  };
}

/** Also returns the bare names, for clients older than the kinds. */
async function getOperations(options: JaegerGrpcOptions, request: OperationsRequest, call: GrpcCall): Promise<Reply> {
  const { operations } = await listOperations(options, request, call);
  return { operations, operationNames: [...new Set(operations.map(({ name }) => name))] };
}

async function getDependencies(
  options: JaegerGrpcOptions,
  request: DependenciesRequest,
  call: GrpcCall,
): Promise<Reply> {
  if (timestampNs(request.startTime) === undefined || timestampNs(request.endTime) === undefined) {
    throw new StoreError('INVALID_REQUEST', 'StartTime and EndTime must be initialized.');
  }
  return await listDependencies(options, request, call);
}
