// The ports of the store of another node, over gRPC: what passes test/contract for the local ones passes it for these. Names and
// traces by jaeger.storage.v2, writes by OTLP, the rest by tracelith.cluster.v1 (docs/format/cluster-protocol.md). Each call is
// made once; who asks several nodes decides what follows a failure.
import { StoreError } from '../base/errors.ts';
import { WireReader } from '../bytes/wire-reader.ts';
import { limits } from '../base/limits.ts';
import type { CallContext } from '../trace/call-context.ts';
import type { SearchExplainer, SearchExplanation } from '../trace/search-explanation.ts';
import { exactKindNumber, KIND_MAX, kindName } from '../trace/span-kinds.ts';
import type {
  FoundHits,
  FoundIds,
  FoundLinks,
  FoundSeries,
  FoundTrace,
  FoundTraces,
  Listed,
  Marked,
  MetricsQuery,
  Operation,
  SpanWriter,
  TraceArchive,
  TraceReader,
  WriteContext,
  WriteResult,
} from '../trace/store.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import { idKey } from '../query/find-traces.ts';
import { findPage } from '../query/find-page.ts';
import { countSpans } from './cut-request.ts';
import { joinPieces } from './merge-answers.ts';
import { marksOf, type CallResult, type GrpcCaller } from './grpc-caller.ts';
import {
  explanationOf,
  hitsOf,
  linksOf,
  queryMessageOf,
  seriesOf,
  type ExplainMessage,
  type HitsMessage,
  type LinksMessage,
  type QueryMessage,
  type SeriesMessage,
  type SeriesRequestMessage,
} from './answer-messages.ts';
import {
  codecOf,
  decodeSliceResult,
  STORAGE_NODE,
  STRAYS_KEY,
  straysText,
  WRITE_KEY_KEY,
  WRITE_RESULT_KEY,
  type NodeDescription,
  type SliceMessage,
  type SliceResultMessage,
} from './protocol.ts';

const OWN = 'tracelith.cluster.v1';
const JAEGER = 'jaeger.storage.v2';
const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

interface OperationsMessage {
  readonly operations: readonly { readonly name?: string; readonly spanKind?: string }[];
}

const CODECS = {
  describeRequest: codecOf<object>(`${OWN}.DescribeRequest`),
  describe: codecOf<NodeDescription>(`${OWN}.DescribeResponse`),
  writeSlices: codecOf<{ slices: readonly SliceMessage[] }>(`${OWN}.WriteSlicesRequest`),
  written: codecOf<{ results: readonly SliceResultMessage[] }>(`${OWN}.WriteSlicesResponse`),
  searchRequest: codecOf<{ query: QueryMessage }>(`${OWN}.SearchRequest`),
  hits: codecOf<HitsMessage>(`${OWN}.SearchResponse`),
  ids: codecOf<{ traceIds: readonly Uint8Array[] }>(`${OWN}.TraceIds`),
  window: codecOf<{ startNs: bigint; endNs: bigint }>(`${OWN}.DependenciesRequest`),
  links: codecOf<LinksMessage>(`${OWN}.DependenciesResponse`),
  seriesRequest: codecOf<SeriesRequestMessage>(`${OWN}.CallSeriesRequest`),
  series: codecOf<SeriesMessage>(`${OWN}.Series`),
  explain: codecOf<ExplainMessage>(`${OWN}.ExplainResponse`),
  archiveRequest: codecOf<{ traceId: Uint8Array }>(`${OWN}.ArchiveRequest`),
  archived: codecOf<{ isFound?: boolean }>(`${OWN}.ArchiveResponse`),
  servicesRequest: codecOf<object>(`${JAEGER}.GetServicesRequest`),
  services: codecOf<{ services: readonly string[] }>(`${JAEGER}.GetServicesResponse`),
  operationsRequest: codecOf<{ service: string; spanKind: string }>(`${JAEGER}.GetOperationsRequest`),
  operations: codecOf<OperationsMessage>(`${JAEGER}.GetOperationsResponse`),
  tracesRequest: codecOf<{ query: readonly { traceId: Uint8Array }[] }>(`${JAEGER}.GetTracesRequest`),
} as const;

/** Counts the bytes of answers as they arrive; throws to refuse more. */
export type TakeBytes = (bytes: number) => void;

export interface RemoteStoreOptions {
  readonly caller: GrpcCaller;
  /** Make the calls on the second connection. */
  readonly isRepeat?: boolean;
  /** OTLP bytes of the traces of one answer; default limits.answerBytesMax. */
  readonly answerBytesMax?: number;
}

export class RemoteStore implements SpanWriter, TraceReader, TraceArchive, SearchExplainer {
  readonly #caller: GrpcCaller;
  readonly #isRepeat: boolean;
  readonly #answerBytesMax: number;

  constructor({ caller, isRepeat = false, answerBytesMax = limits.answerBytesMax }: RemoteStoreOptions) {
    this.#caller = caller;
    this.#isRepeat = isRepeat;
    this.#answerBytesMax = answerBytesMax;
  }

  async describe(call: CallContext): Promise<NodeDescription> {
    const { message } = await this.#own('Describe', CODECS.describeRequest.encode({}), call);
    return CODECS.describe.decode(message);
  }

  async write(call: WriteContext, body: Uint8Array, key?: string): Promise<WriteResult> {
    const metadata = {
      ...(key !== undefined && { [WRITE_KEY_KEY]: key }),
      ...(call.strays !== undefined && { [STRAYS_KEY]: straysText(call.strays) }),
    };
    const { trailer } = await this.#call({ path: EXPORT, message: body, metadata }, call);
    const [result] = trailer.get(WRITE_RESULT_KEY);
    // Without the trailer everything is stored; how many spans that are, only the sender of whole requests counts.
    return result instanceof Buffer ? decodeSliceResult(result) : { stored: countSpans(body), rejected: new Map() };
  }

  /** Several requests in one call, each with its own result. Their bytes together: at most limits.forwardBytesMax. */
  async writeSlices(call: CallContext, slices: readonly SliceMessage[]): Promise<readonly SliceResultMessage[]> {
    const { message } = await this.#own('WriteSlices', CODECS.writeSlices.encode({ slices }), call);
    const { results } = CODECS.written.decode(message);
    if (results.length === slices.length) return results;
    throw new StoreError(
      'UNAVAILABLE',
      `${this.#caller.address}: ${results.length} results for ${slices.length} slices`,
    );
  }

  async listServices(call: CallContext): Promise<Listed<string>> {
    const path = `/${JAEGER}.TraceReader/GetServices`;
    const { message, trailer } = await this.#call({ path, message: CODECS.servicesRequest.encode({}) }, call);
    return { items: [...CODECS.services.decode(message).services], ...marksOf(trailer) };
  }

  async listOperations(call: CallContext, service: string, kind?: number): Promise<Listed<Operation>> {
    const path = `/${JAEGER}.TraceReader/GetOperations`;
    const asked = kind === undefined || kind === 0 || kind > KIND_MAX ? '' : kindName(kind);
    const message = CODECS.operationsRequest.encode({ service, spanKind: asked });
    const answer = await this.#call({ path, message }, call);
    const all = CODECS.operations.decode(answer.message).operations.map(({ name = '', spanKind = '' }) => {
      return { name, kind: exactKindNumber(spanKind) };
    });
    const items = kind === undefined ? all : all.filter((operation) => operation.kind === kind);
    return { items, ...marksOf(answer.trailer) };
  }

  async findTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundTraces> {
    let left = this.#answerBytesMax;
    const take = (bytes: number): void => {
      left -= bytes;
      if (left >= 0) return;
      throw tooLarge(this.#answerBytesMax);
    };
    const { pieces, ...marked } = await this.findPieces(call, traceIds, take);
    return { traces: traceIds.flatMap((id) => joinPieces(pieces.get(idKey(id)) ?? [])), ...marked };
  }

  /** By idKey, each trace in the pieces in which it came: one, from a node of ours. `take` is called with the size of each. */
  async findPieces(
    call: CallContext,
    traceIds: readonly Uint8Array[],
    take: TakeBytes,
  ): Promise<Marked & { readonly pieces: ReadonlyMap<string, readonly FoundTrace[]> }> {
    const pieces = new Map<string, FoundTrace[]>();
    if (traceIds.length === 0) return { pieces, warnings: [] };
    const wanted = new Map(traceIds.map((traceId) => [idKey(traceId), traceId]));
    const message = CODECS.tracesRequest.encode({ query: [...wanted.values()].map((traceId) => ({ traceId })) });
    const path = `/${JAEGER}.TraceReader/GetTraces`;
    const trailer = await this.#caller.stream({ path, message, isRepeat: this.#isRepeat }, call, (otlp) => {
      take(otlp.length);
      const key = idKey(traceIdOf(otlp, this.#caller.address));
      const traceId = wanted.get(key);
      if (traceId === undefined)
        throw new StoreError('UNAVAILABLE', `${this.#caller.address}: a trace nobody asked for`);
      const known = pieces.get(key);
      if (known === undefined) pieces.set(key, [{ traceId, otlp }]);
      else known.push({ traceId, otlp });
    });
    return { pieces, ...marksOf(trailer) };
  }

  async hasTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundIds> {
    if (traceIds.length === 0) return { traceIds: [], warnings: [] };
    const { message, trailer } = await this.#own('HasTraces', CODECS.ids.encode({ traceIds }), call);
    const found = new Set(CODECS.ids.decode(message).traceIds.map(idKey));
    return { traceIds: traceIds.filter((id) => found.has(idKey(id))), ...marksOf(trailer) };
  }

  async searchTraces(call: CallContext, query: TraceQuery): Promise<FoundHits> {
    const request = CODECS.searchRequest.encode({ query: queryMessageOf(query) });
    const { message, trailer } = await this.#own('Search', request, call);
    return { hits: hitsOf(CODECS.hits.decode(message)), ...marksOf(trailer) };
  }

  findNewest(call: CallContext, query: TraceQuery): Promise<FoundTraces> {
    return findPage(this, call, query);
  }

  async listDependencies(call: CallContext, startNs: bigint, endNs: bigint): Promise<FoundLinks> {
    const { message, trailer } = await this.#own('GetDependencies', CODECS.window.encode({ startNs, endNs }), call);
    return { links: linksOf(CODECS.links.decode(message)), ...marksOf(trailer) };
  }

  listCallSeries(call: CallContext, query: MetricsQuery): Promise<FoundSeries> {
    return this.takeCallSeries(call, query, () => undefined);
  }

  /** As listCallSeries. `take` is called with the size of each series. */
  async takeCallSeries(call: CallContext, query: MetricsQuery, take: TakeBytes): Promise<FoundSeries> {
    const series: FoundSeries['series'][number][] = [];
    const request = {
      path: pathOf('GetCallSeries'),
      message: CODECS.seriesRequest.encode(query),
      isRepeat: this.#isRepeat,
    };
    const trailer = await this.#caller.stream(request, call, (message) => {
      take(message.length);
      series.push(seriesOf(CODECS.series.decode(message)));
    });
    return { series, ...marksOf(trailer) };
  }

  async explainSearch(call: CallContext, query: TraceQuery): Promise<SearchExplanation> {
    const request = CODECS.searchRequest.encode({ query: queryMessageOf(query) });
    const { message, trailer } = await this.#own('Explain', request, call);
    return explanationOf(CODECS.explain.decode(message), marksOf(trailer));
  }

  async isArchived(call: CallContext, traceId: Uint8Array): Promise<boolean> {
    return (await this.#archive('IsArchived', call, traceId)).isFound;
  }

  archiveTrace(call: CallContext, traceId: Uint8Array): Promise<Marked & { readonly isFound: boolean }> {
    return this.#archive('ArchiveTrace', call, traceId);
  }

  async deleteArchived(call: CallContext, traceId: Uint8Array): Promise<boolean> {
    return (await this.#archive('DeleteArchived', call, traceId)).isFound;
  }

  /** Only a node itself removes all that it keeps. */
  purge(): Promise<void> {
    throw new StoreError('DISABLED', 'archives are purged on each storage node');
  }

  async #archive(
    method: string,
    call: CallContext,
    traceId: Uint8Array,
  ): Promise<Marked & { readonly isFound: boolean }> {
    const { message, trailer } = await this.#own(method, CODECS.archiveRequest.encode({ traceId }), call);
    return { isFound: CODECS.archived.decode(message).isFound ?? false, ...marksOf(trailer) };
  }

  #own(method: string, message: Uint8Array, call: CallContext): Promise<CallResult> {
    return this.#call({ path: pathOf(method), message }, call);
  }

  #call(request: Parameters<GrpcCaller['unary']>[0], call: CallContext): Promise<CallResult> {
    return this.#caller.unary({ ...request, isRepeat: this.#isRepeat }, call);
  }
}

/** The error for traces that are too large together. */
export function tooLarge(bytesMax: number): StoreError {
  return new StoreError(
    'LIMIT_EXCEEDED',
    `the traces asked for have more than ${bytesMax} bytes as OTLP; ask for fewer (limit), or for one by its id`,
  );
}

function pathOf(method: string): string {
  return `/${STORAGE_NODE}/${method}`;
}

/** Of the first span of a TracesData; the bytes of a missing one are zero. Throws UNAVAILABLE if it is none. */
function traceIdOf(otlp: Uint8Array, address: string): Uint8Array {
  const fields = new WireReader(otlp);
  try {
    for (const field of [1, 2, 2, 1]) enter(fields, field);
  } catch (cause) {
    throw new StoreError('UNAVAILABLE', `${address} sent what is no trace: ${String(cause)}`, { cause });
  }
  return fields.end - fields.pos === 16 ? otlp.subarray(fields.pos, fields.end) : new Uint8Array(16);
}

/** Moves to the inside of the next such field. */
function enter(fields: WireReader, field: number): void {
  while (fields.next()) if (fields.field === field) break;
  fields.reset(fields.valueStart, fields.valueEnd);
}
