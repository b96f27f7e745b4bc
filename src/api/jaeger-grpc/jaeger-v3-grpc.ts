// jaeger.api_v3.QueryService: names, traces, summaries and links as Jaeger's own query service returns them (contract/jaeger.md
// §5.2). As over HTTP, OTLP is never adjusted, because it serves as the export; raw_traces has no effect.
import { StoreError } from '../../base/errors.ts';
import { formatTraceId } from '../../trace/ids.ts';
import {
  findTrace,
  listDependencies,
  listOperations,
  listServices,
  search,
  sendOtlp,
  sendSummaries,
  type DependenciesRequest,
  type JaegerGrpcOptions,
} from './grpc-answers.ts';
import { registerService, type GrpcCall, type Replies, type Reply } from '../grpc/grpc-call.ts';
import type { GrpcMethodTable } from '../grpc/grpc-server.ts';
import { checkTags, timestampNs, toSearch, type SearchMessage } from '../jaeger/grpc-search.ts';
import type { Search } from '../jaeger/search-bounds.ts';
import { parsePathTraceId } from '../jaeger/jaeger-params.ts';

export const API_V3 = 'jaeger.api_v3.QueryService';

export function registerApiV3(server: GrpcMethodTable, options: JaegerGrpcOptions): void {
  const methods = {
    unary: { GetServices: listServices, GetOperations: listOperations, GetDependencies: getDependencies },
    streams: { GetTrace: getTrace, FindTraces: findTraces, FindTraceSummaries: findSummaries },
  };
  registerService(server, API_V3, methods, options);
}

interface GetTraceRequest {
  readonly traceId?: string;
}

async function* getTrace(options: JaegerGrpcOptions, { traceId = '' }: GetTraceRequest, call: GrpcCall): Replies {
  const id = parsePathTraceId(traceId, 'malformed trace_id: ');
  yield* sendOtlp(options, await findTrace(options, id, call), call);
}

interface SearchRequest {
  readonly query?: SearchMessage & { readonly attributes: Readonly<Record<string, string>> };
}

function searchOf(options: JaegerGrpcOptions, { query }: SearchRequest): Search {
  if (query === undefined) throw new StoreError('INVALID_REQUEST', 'missing query');
  if (timestampNs(query.startTimeMin) === undefined || timestampNs(query.startTimeMax) === undefined) {
    throw new StoreError('INVALID_REQUEST', 'start time min and max are required parameters');
  }
  return toSearch(query, checkTags(Object.entries(query.attributes)), options);
}

async function* findTraces(options: JaegerGrpcOptions, request: SearchRequest, call: GrpcCall): Replies {
  yield* sendOtlp(options, await search(options, searchOf(options, request), call), call);
}

async function* findSummaries(options: JaegerGrpcOptions, request: SearchRequest, call: GrpcCall): Replies {
  yield* sendSummaries(options, await search(options, searchOf(options, request), call), call, formatTraceId);
}

async function getDependencies(
  options: JaegerGrpcOptions,
  request: DependenciesRequest,
  call: GrpcCall,
): Promise<Reply> {
  const [start, end] = [timestampNs(request.startTime), timestampNs(request.endTime)];
  if (start === undefined) throw new StoreError('INVALID_REQUEST', 'start_time is required');
  if (end === undefined) throw new StoreError('INVALID_REQUEST', 'end_time is required');
  if (end <= start) throw new StoreError('INVALID_REQUEST', 'end_time must be after start_time');
  return await listDependencies(options, request, call);
}
