// jaeger.storage.v2: the API that Jaeger expects of a remote storage (contract/jaeger.md §5.3). Every message of a stream has
// spans of one trace; the next may continue it; none is empty. Traces that do not exist yield nothing. Time hints are
// ignored: a trace is read whole, from every day.
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { textOfAnyValue } from '../../trace/attributes.ts';
import { formatTraceId } from '../../trace/ids.ts';
import { ATTRIBUTE_LEVELS } from '../../trace/attribute-levels.ts';
import { FILTER_OPERATORS } from '../../trace/filter.ts';
import {
  listDependencies,
  listOperations,
  listServices,
  search,
  sendOtlp,
  sendSummaries,
  summarizeAll,
  type JaegerGrpcOptions,
} from './grpc-answers.ts';
import { registerService, type GrpcCall, type Replies, type Reply } from '../grpc/grpc-call.ts';
import type { GrpcMethodTable } from '../grpc/grpc-server.ts';
import { encodeMessage, messageType } from '../grpc/grpc-schema.ts';
import { checkTags, timestampOf, toSearch, traceIdOf, type SearchMessage } from '../jaeger/grpc-search.ts';
import type { Search } from '../jaeger/search-bounds.ts';

/** Traces read at a time if the request names them: bounds the memory of one call. */
const TRACES_PER_READ = 16;
/** For another node: its memory bounds how much it asks at a time. */
const TRACES_PER_EXACT_READ: number = limits.searchTracesMax;

/** Registers TraceReader, DependencyReader and Capabilities. */
export function registerStorageServices(server: GrpcMethodTable, options: JaegerGrpcOptions): void {
  const traceReader = {
    unary: { GetServices: listServices, GetOperations: listOperations, FindTraceIDs: findTraceIds },
    streams: { GetTraces: getTraces, FindTraces: findTraces, FindTraceSummaries: findSummaries },
  };
  const dependencyReader = { unary: { GetDependencies: listDependencies } };
  const capabilities = { unary: { GetCapabilities: getCapabilities } };
  registerService(server, 'jaeger.storage.v2.TraceReader', traceReader, options);
  registerService(server, 'jaeger.storage.v2.DependencyReader', dependencyReader, options);
  registerService(server, 'jaeger.storage.v2.Capabilities', capabilities, options);
}

interface GetTracesRequest {
  readonly query: readonly { readonly traceId?: Uint8Array }[];
}

async function* getTraces(options: JaegerGrpcOptions, { query }: GetTracesRequest, call: GrpcCall): Replies {
  const { reader } = options;
  const [maxTraces, perRead] = call.isExact
    ? [limits.searchTracesMax, TRACES_PER_EXACT_READ]
    : [options.maxTraces, TRACES_PER_READ];
  const ids = [
    ...new Map(query.map(({ traceId }) => traceIdOf(traceId)).map((id) => [formatTraceId(id), id])).values(),
  ];
  if (ids.length > maxTraces) {
    throw new StoreError(
      'INVALID_REQUEST',
      `query: at most ${maxTraces} traces (-search.maxTraces) may be named, received: ${ids.length}`,
    );
  }
  for (let from = 0; from < ids.length; from += perRead) {
    const found = await reader.findTraces(call, ids.slice(from, from + perRead));
    yield* sendOtlp(options, found, call);
  }
}

interface SearchRequest {
  readonly query?: SearchMessage & { readonly attributes: readonly Attribute[] };
}

interface Attribute {
  readonly key?: string;
  /** An AnyValue. */
  readonly value?: object;
}

function searchOf(options: JaegerGrpcOptions, { query }: SearchRequest): Search {
  if (query === undefined) throw new StoreError('INVALID_REQUEST', 'missing query');
  return toSearch(query, checkTags(query.attributes).map(tagOf), options);
}

const anyValue = messageType('jaeger.storage.v2.AnyValue');

/** Compares values by their text, whatever their type (§7.1). The message is OTLP's AnyValue under another name. */
function tagOf({ key = '', value = {} }: Attribute): [key: string, value: string] {
  return [key, textOfAnyValue(encodeMessage(anyValue, value))];
}

async function* findTraces(options: JaegerGrpcOptions, request: SearchRequest, call: GrpcCall): Replies {
  yield* sendOtlp(options, await search(options, searchOf(options, request), call), call);
}

/** Returns the bounds of the whole trace too, so that they can serve as hints of GetTraces. */
async function findTraceIds(options: JaegerGrpcOptions, request: SearchRequest, call: GrpcCall): Promise<Reply> {
  const found = await search(options, searchOf(options, request), call);
  const traceIds: object[] = [];
  for await (const { traceId, startNs, endNs } of summarizeAll(options, found, call)) {
    traceIds.push({ traceId, start: timestampOf(startNs), end: timestampOf(endNs) });
  }
  return { traceIds };
}

async function* findSummaries(options: JaegerGrpcOptions, request: SearchRequest, call: GrpcCall): Replies {
  yield* sendSummaries(options, await search(options, searchOf(options, request), call), call, (traceId) => traceId);
}

/** Jaeger relies on this, so it lists only working features. */
async function getCapabilities(): Promise<Reply> {
  const filter = { levels: ATTRIBUTE_LEVELS, operators: FILTER_OPERATORS };
  return { search: { withoutServiceName: true, sameSpanConjunction: true, filter } };
}
