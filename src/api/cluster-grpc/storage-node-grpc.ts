// tracelith.cluster.v1.StorageNode: what the other roles ask beyond OTLP and jaeger.storage.v2 (docs/format/cluster-protocol.md).
// Every answer is exact: text as it is stored, all warnings, the nodes it was made without.
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { freeBytes } from '../../bytes/free-bytes.ts';
import {
  explainMessageOf,
  linksMessageOf,
  metricsQueryOf,
  queryOfMessage,
  seriesMessageOf,
  type QueryMessage,
  type SeriesRequestMessage,
} from '../../cluster/answer-messages.ts';
import {
  plainDescription,
  sliceResultOf,
  straysOf,
  STORAGE_NODE,
  type NodeDescription,
  type SliceMessage,
  type SliceResultMessage,
} from '../../cluster/protocol.ts';
import type { SearchExplainer } from '../../trace/search-explanation.ts';
import type { TraceArchive, TraceReader, WriteResult } from '../../trace/store.ts';
import { tenantFor, type Principal } from '../../trace/principal.ts';
import type { TraceQuery } from '../../trace/trace-query.ts';
import type { Intake, ReceivedSlice } from '../edge/intake.ts';
import { messageOf, notReady } from '../edge/status.ts';
import { checkWriteKey } from '../edge/write-key.ts';
import { registerService, type GrpcCall, type GrpcCallOptions, type Replies, type Reply } from '../grpc/grpc-call.ts';
import type { GrpcMethodTable } from '../grpc/grpc-server.ts';
import { decodeMessage, encodeMessage, messageType, methodSchema } from '../grpc/grpc-schema.ts';
import { checkTags, traceIdOf } from '../jaeger/grpc-search.ts';
import { parseFilter } from '../jaeger/parse-filter.ts';

export interface StorageNodeOptions extends GrpcCallOptions {
  readonly reader: TraceReader;
  readonly explainer: SearchExplainer;
  readonly intake: Intake;
  /** undefined: nothing can be archived. */
  readonly archive: TraceArchive | undefined;
  readonly describe: () => NodeDescription | Promise<NodeDescription>;
}

const TRACES_MAX: number = 2 * limits.searchTracesMax;

/** Registers the service. */
export function registerStorageNode(server: GrpcMethodTable, options: StorageNodeOptions): void {
  const unary = {
    Describe: describe,
    Search: search,
    HasTraces: hasTraces,
    GetDependencies: getDependencies,
    Explain: explain,
    ArchiveTrace: archiveTrace,
    IsArchived: isArchived,
    DeleteArchived: deleteArchived,
  };
  registerService(server, STORAGE_NODE, { unary, streams: { GetCallSeries: getCallSeries } }, options);
  registerWrites(server, options);
}

/** Not by registerService: its message is larger than a question, and its bytes count as received spans. */
function registerWrites(server: GrpcMethodTable, { intake, isReady, callMaxMs }: StorageNodeOptions): void {
  const { path, request, response } = methodSchema(STORAGE_NODE, 'WriteSlices');
  server.add(
    path,
    async ({ stream, account, principal, only }) => {
      if (!isReady()) throw notReady();
      if (callMaxMs !== undefined) stream.bound(callMaxMs);
      const message = await only(limits.forwardBytesMax);
      const { slices } = decodeMessage(request, message) as { slices: SliceMessage[] };
      const written = await intake.writeSlices(
        account,
        slices.map((slice) => sliceOf(slice, principal)),
        'internalinsert',
      );
      // The writer has copies of its slices.
      freeBytes(message);
      const reply = encodeMessage(response, { results: written.map((one) => plainCounts(resultOf(one))) });
      stream.write(reply, () => undefined);
    },
    'protobuf',
  );
}

/** Throws FORBIDDEN for a tenant that is not one of the principal's. */
function sliceOf(
  { tenant = '', key = '', body = new Uint8Array(0), strays }: SliceMessage,
  principal: Principal,
): ReceivedSlice {
  const owner = tenantFor(principal, { 'x-tenant': tenant });
  return {
    tenant: owner,
    body,
    ...(key !== '' && { key: checkWriteKey(key) }),
    ...(strays !== undefined && { strays: straysOf(strays) }),
  };
}

function resultOf(outcome: PromiseSettledResult<WriteResult>): SliceResultMessage {
  if (outcome.status === 'fulfilled') return sliceResultOf(outcome.value);
  const { reason } = outcome as { readonly reason: unknown };
  const code = reason instanceof StoreError ? reason.code : 'BUG';
  // A bug is logged by the store that met it.
  return { rejected: {}, code, message: messageOf(reason) };
}

/** 64-bit counts as encodeMessage takes them. */
function plainCounts({ stored = 0n, rejected, ...rest }: SliceResultMessage): object {
  const counts = Object.entries(rejected).map(([reason, count]) => [reason, String(count)]);
  return { ...rest, stored: String(stored), rejected: Object.fromEntries(counts) as Record<string, string> };
}

async function describe({ describe: own }: StorageNodeOptions): Promise<Reply> {
  return plainDescription(await own());
}

/** The query of a request. Throws INVALID_REQUEST. */
function queryOf({ query }: { readonly query?: QueryMessage }): TraceQuery {
  if (query === undefined) throw new StoreError('INVALID_REQUEST', 'missing query');
  checkTags(query.tags);
  const found = queryOfMessage(query);
  const { limit, lastUnit = { tracesMax: limit } } = found;
  // A page may go on beyond its limit, to the end of a unit of time.
  if (limit < 1 || limit > limits.searchTracesMax || lastUnit.tracesMax < limit || lastUnit.tracesMax > TRACES_MAX) {
    throw new StoreError('INVALID_REQUEST', `limit: expected 1 to ${limits.searchTracesMax} traces, got ${limit}`);
  }
  if (query.filter === undefined) return found;
  const call = decodeFilter(query.filter);
  return { ...found, filter: parseFilter(call), filterMessage: query.filter };
}

function decodeFilter(bytes: Uint8Array): object {
  try {
    return decodeMessage(messageType('jaeger.expression.v1.Call'), bytes);
  } catch (cause) {
    throw new StoreError('INVALID_REQUEST', `malformed filter: ${String(cause)}`, { cause });
  }
}

async function search(
  { reader }: StorageNodeOptions,
  request: { query?: QueryMessage },
  call: GrpcCall,
): Promise<Reply> {
  const found = await reader.searchTraces(call, queryOf(request));
  call.mark(found);
  return {
    hits: found.hits.map(({ traceId, matchedStartNs }) => ({ traceId, matchedStartNs: String(matchedStartNs) })),
  };
}

async function explain(
  { explainer }: StorageNodeOptions,
  request: { query?: QueryMessage },
  call: GrpcCall,
): Promise<Reply> {
  const explanation = await explainer.explainSearch(call, queryOf(request));
  call.mark(explanation);
  const { fates, waitedMs, tookMs, ...counts } = explainMessageOf(explanation);
  const texts = Object.entries(counts).map(([name, count]) => [name, String(count)]);
  const fateTexts = Object.entries(fates).map(([fate, count]) => [fate, String(count)]);
  return { ...Object.fromEntries(texts), fates: Object.fromEntries(fateTexts) as object, waitedMs, tookMs };
}

async function hasTraces(
  { reader }: StorageNodeOptions,
  { traceIds }: { readonly traceIds: readonly Uint8Array[] },
  call: GrpcCall,
): Promise<Reply> {
  const found = await reader.hasTraces(call, traceIds.map(traceIdOf));
  call.mark(found);
  return { traceIds: found.traceIds };
}

interface WindowMessage {
  readonly startNs?: bigint;
  readonly endNs?: bigint;
}

async function getDependencies(
  { reader }: StorageNodeOptions,
  { startNs = 0n, endNs = 0n }: WindowMessage,
  call: GrpcCall,
): Promise<Reply> {
  const found = await reader.listDependencies(call, startNs, endNs);
  call.mark(found);
  const { links } = linksMessageOf(found.links);
  return {
    links: links.map((link) => ({ ...link, callCount: String(link.callCount), errorCount: String(link.errorCount) })),
  };
}

async function* getCallSeries({ reader }: StorageNodeOptions, request: SeriesRequestMessage, call: GrpcCall): Replies {
  const found = await reader.listCallSeries(call, metricsQueryOf(request));
  call.mark(found);
  for (const series of found.series) yield seriesMessageOf(series);
}

interface ArchiveMessage {
  readonly traceId?: Uint8Array;
}

function archiveOf({ archive }: StorageNodeOptions): TraceArchive {
  if (archive === undefined)
    throw new StoreError('DISABLED', 'this node has no archive (-archive.maxDiskSpaceUsageBytes)');
  return archive;
}

async function archiveTrace(options: StorageNodeOptions, { traceId }: ArchiveMessage, call: GrpcCall): Promise<Reply> {
  const archived = await archiveOf(options).archiveTrace(call, traceIdOf(traceId));
  call.mark(archived);
  return { isFound: archived.isFound };
}

async function isArchived(options: StorageNodeOptions, { traceId }: ArchiveMessage, call: GrpcCall): Promise<Reply> {
  return { isFound: await archiveOf(options).isArchived(call, traceIdOf(traceId)) };
}

async function deleteArchived(
  options: StorageNodeOptions,
  { traceId }: ArchiveMessage,
  call: GrpcCall,
): Promise<Reply> {
  return { isFound: await archiveOf(options).deleteArchived(call, traceIdOf(traceId)) };
}
