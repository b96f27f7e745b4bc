// Jaeger's gRPC APIs from the client's side: remote storage (jaeger.storage.v2), api_v3 and api_v2 queries, health. The
// definitions are the tests' own; traces come back as the TracesData bytes that were sent, and api_v2 spans as objects with
// every field.
import { Client, credentials, Metadata, type ClientReadableStream } from '@grpc/grpc-js';
import { decodeMessage, encodeMessage } from './jaeger-messages.ts';
import { decodeTraces, type OtlpRequest } from './otlp-proto.ts';

/** 64-bit integers are bigint, bytes are Uint8Array; a time is {seconds, nanos}. */
export interface ProtoTime {
  readonly seconds: bigint;
  readonly nanos: number;
}

export interface ProtoSummary {
  /** 16 bytes from the storage API, hex from api_v3. */
  readonly traceId: Uint8Array | string;
  readonly rootServiceName: string;
  readonly rootOperationName: string;
  readonly minStartTimeUnixNano: bigint;
  readonly maxEndTimeUnixNano: bigint;
  readonly spanCount: number;
  readonly errorSpanCount: number;
  readonly orphanSpanCount: number;
  readonly services: readonly { readonly name: string; readonly spanCount: number; readonly errorSpanCount: number }[];
}

export interface JaegerTag {
  readonly key: string;
  /** 0 string, 1 bool, 2 int64, 3 float64, 4 binary. */
  readonly vType: number;
  readonly vStr: string;
  readonly vBool: boolean;
  readonly vInt64: bigint;
  readonly vFloat64: number;
  readonly vBinary: Uint8Array;
}

export interface JaegerSpan {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly operationName: string;
  readonly references: readonly {
    readonly traceId: Uint8Array;
    readonly spanId: Uint8Array;
    readonly refType: number;
  }[];
  readonly flags: number;
  readonly startTime: ProtoTime;
  readonly duration: ProtoTime;
  readonly tags: readonly JaegerTag[];
  readonly logs: readonly { readonly timestamp: ProtoTime; readonly fields: readonly JaegerTag[] }[];
  readonly process: { readonly serviceName: string; readonly tags: readonly JaegerTag[] };
  readonly processId: string;
  readonly warnings: readonly string[];
}

/** A tag's value as the storage API types it; a bigint or an integer is an int, another number a double. */
export type TagValue = string | number | bigint | boolean | Uint8Array;

/** What is asked of the metrics service; times and durations in ns. */
export interface MetricsTerms {
  readonly services?: readonly string[];
  readonly isByOperation?: boolean;
  readonly endNs?: bigint;
  readonly lookbackNs?: bigint;
  readonly stepNs?: bigint;
  readonly ratePerNs?: bigint;
  /** OTLP numbers. */
  readonly kinds?: readonly number[];
  readonly quantile?: number;
}

export interface MetricFamily {
  readonly name: string;
  /** 1 is GAUGE. */
  readonly type: number;
  readonly help: string;
  readonly metrics: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    readonly metricPoints: readonly {
      readonly gaugeValue: { readonly doubleValue: number };
      readonly timestamp: ProtoTime;
    }[];
  }[];
}

/** A search; what is absent is not sent. */
export interface GrpcTerms {
  readonly service?: string;
  readonly operation?: string;
  readonly tags?: Readonly<Record<string, TagValue>>;
  /** ns since the epoch. */
  readonly startNs?: bigint;
  readonly endNs?: bigint;
  /** ns; 0 = off. */
  readonly minNs?: number;
  readonly maxNs?: number;
  readonly limit?: number;
  readonly isRaw?: boolean;
  /** jaeger.expression.v1.Call: {op, args: [{attr | field | nested | scalar | list | call: …}]}. */
  readonly filter?: object;
}

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** From now. */
  readonly timeoutMs?: number;
}

/** What a stream brought: its messages and the metadata behind them. */
export interface Streamed<T> {
  readonly messages: readonly T[];
  readonly trailer: Metadata;
}

interface Call {
  readonly path: string;
  readonly request: string;
  readonly message: object;
  readonly options?: CallOptions;
}

const STORAGE = '/jaeger.storage.v2.TraceReader';
const V3 = '/jaeger.api_v3.QueryService';
const V2 = '/jaeger.api_v2.QueryService';

/** A connection to -grpc.listenAddr. Failures are grpc-js' ServiceError. */
export class StorageClient implements Disposable {
  readonly #client: Client;

  /** `address` is host:port; `options` are grpc-js channel options. */
  constructor(address: string, options: Readonly<Record<string, number | string>> = {}) {
    this.#client = new Client(address, credentials.createInsecure(), options);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  // jaeger.storage.v2

  getTraces(ids: readonly Uint8Array[], options?: CallOptions): Promise<Streamed<Uint8Array>> {
    const message = { query: ids.map((traceId) => ({ traceId })) };
    return this.stream({ path: `${STORAGE}/GetTraces`, request: 'TraceHints', message, ...optional(options) });
  }

  findTraces(terms: GrpcTerms, options?: CallOptions): Promise<Streamed<Uint8Array>> {
    const message = { query: storageQuery(terms) };
    return this.stream({ path: `${STORAGE}/FindTraces`, request: 'StorageSearch', message, ...optional(options) });
  }

  async findTraceIds(
    terms: GrpcTerms,
    options?: CallOptions,
  ): Promise<readonly { readonly traceId: Uint8Array; readonly start: ProtoTime; readonly end: ProtoTime }[]> {
    const message = { query: storageQuery(terms) };
    const call = { path: `${STORAGE}/FindTraceIDs`, request: 'StorageSearch', message, ...optional(options) };
    return decodeMessage<{ traceIds: [] }>('FoundIds', await this.unary(call)).traceIds;
  }

  async findSummaries(terms: GrpcTerms, options?: CallOptions): Promise<ProtoSummary[]> {
    const message = { query: storageQuery(terms) };
    const call = { path: `${STORAGE}/FindTraceSummaries`, request: 'StorageSearch', message, ...optional(options) };
    return summaries('BytesSummaries', await this.stream(call));
  }

  async getCapabilities(): Promise<unknown> {
    const path = '/jaeger.storage.v2.Capabilities/GetCapabilities';
    return decodeMessage('Capabilities', await this.unary({ path, request: 'Empty', message: {} }));
  }

  /** `service` is the API to ask: its full name. */
  async getServices(service: string = STORAGE.slice(1), options?: CallOptions): Promise<readonly string[]> {
    const call = { path: `/${service}/GetServices`, request: 'Empty', message: {}, ...optional(options) };
    return decodeMessage<{ services: string[] }>('Services', await this.unary(call)).services;
  }

  async getOperations(
    query: { readonly service: string; readonly spanKind?: string },
    service: string = STORAGE.slice(1),
  ): Promise<readonly { readonly name: string; readonly spanKind: string }[]> {
    const reply = await this.unary({ path: `/${service}/GetOperations`, request: 'OperationsOf', message: query });
    const type = service === V2.slice(1) ? 'OperationsAndNames' : 'Operations';
    return decodeMessage<{ operations: { name: string; spanKind: string }[] }>(type, reply).operations;
  }

  async getDependencies(
    window: { readonly startNs?: bigint; readonly endNs?: bigint },
    service: string = 'jaeger.storage.v2.DependencyReader',
  ): Promise<readonly { readonly parent: string; readonly child: string; readonly callCount: bigint }[]> {
    const message = { startTime: protoTime(window.startNs), endTime: protoTime(window.endNs) };
    const reply = await this.unary({ path: `/${service}/GetDependencies`, request: 'Window', message });
    return decodeMessage<{ dependencies: [] }>('Dependencies', reply).dependencies;
  }

  // jaeger.api_v3

  getTraceV3(traceId: string, options?: CallOptions): Promise<Streamed<Uint8Array>> {
    return this.stream({ path: `${V3}/GetTrace`, request: 'TextTrace', message: { traceId }, ...optional(options) });
  }

  findTracesV3(terms: GrpcTerms, options?: CallOptions): Promise<Streamed<Uint8Array>> {
    const message = { query: textQuery(terms) };
    return this.stream({ path: `${V3}/FindTraces`, request: 'TextSearch', message, ...optional(options) });
  }

  async findSummariesV3(terms: GrpcTerms, options?: CallOptions): Promise<ProtoSummary[]> {
    const message = { query: textQuery(terms) };
    const call = { path: `${V3}/FindTraceSummaries`, request: 'TextSearch', message, ...optional(options) };
    return summaries('TextSummaries', await this.stream(call));
  }

  // jaeger.api_v2

  /** Spans in the chunks they came in. */
  async getTraceV2(traceId: Uint8Array, isRaw = false, options?: CallOptions): Promise<JaegerSpan[][]> {
    const message = { traceId, rawTraces: isRaw };
    return chunks(await this.stream({ path: `${V2}/GetTrace`, request: 'BytesTrace', message, ...optional(options) }));
  }

  async findTracesV2(terms: GrpcTerms, options?: CallOptions): Promise<JaegerSpan[][]> {
    const message = { query: textQuery(terms) };
    return chunks(
      await this.stream({ path: `${V2}/FindTraces`, request: 'TextSearch', message, ...optional(options) }),
    );
  }

  // jaeger.api_v2.metrics

  async getMetrics(
    method: 'GetLatencies' | 'GetCallRates' | 'GetErrorRates',
    terms: MetricsTerms,
    options?: CallOptions,
  ): Promise<MetricFamily> {
    const { services, isByOperation, endNs, lookbackNs, stepNs, ratePerNs, kinds, quantile } = terms;
    const baseRequest = {
      serviceNames: services,
      groupByOperation: isByOperation,
      endTime: protoTime(endNs),
      lookback: protoTime(lookbackNs),
      step: protoTime(stepNs),
      ratePer: protoTime(ratePerNs),
      spanKinds: kinds,
    };
    const path = `/jaeger.api_v2.metrics.MetricsQueryService/${method}`;
    const call = { path, request: 'MetricsOf', message: { baseRequest, quantile }, ...optional(options) };
    return decodeMessage<{ metrics: MetricFamily }>('Metrics', await this.unary(call)).metrics;
  }

  /** ns. */
  async getMinStep(): Promise<bigint> {
    const path = '/jaeger.api_v2.metrics.MetricsQueryService/GetMinStepDuration';
    return nsOf(
      decodeMessage<{ minStep: ProtoTime }>('MinStep', await this.unary({ path, request: 'Empty', message: {} }))
        .minStep,
    );
  }

  // grpc.health.v1

  /** 1 is SERVING, 2 NOT_SERVING; an unknown service fails with NOT_FOUND. */
  async getHealth(service: string): Promise<number> {
    const reply = await this.unary({ path: '/grpc.health.v1.Health/Check', request: 'HealthOf', message: { service } });
    return decodeMessage<{ status: number }>('Health', reply).status;
  }

  // any method

  /** The bytes of the answer. */
  unary(call: Call): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const { metadata, callOptions } = prepare(call);
      this.#client.makeUnaryRequest(
        call.path,
        asIs,
        asIs,
        encodeMessage(call.request, call.message),
        metadata,
        callOptions,
        (error, reply) => (error === null ? resolve(reply!) : reject(error)),
      );
    });
  }

  /** The metadata behind the answer. */
  trailerOf(call: Call): Promise<Metadata> {
    return new Promise((resolve, reject) => {
      const { metadata, callOptions } = prepare(call);
      const message = encodeMessage(call.request, call.message);
      this.#client
        .makeUnaryRequest(call.path, asIs, asIs, message, metadata, callOptions, (error) => {
          if (error !== null) reject(error);
        })
        .on('status', ({ metadata: trailer }: { metadata: Metadata }) => resolve(trailer));
    });
  }

  /** The bytes of all messages, in order. */
  stream(call: Call): Promise<Streamed<Uint8Array>> {
    return new Promise((resolve, reject) => {
      const messages: Uint8Array[] = [];
      const stream = this.open(call);
      stream.on('data', (message: Buffer) => void messages.push(new Uint8Array(message)));
      stream.on('error', reject);
      stream.on('status', ({ metadata: trailer }: { metadata: Metadata }) => resolve({ messages, trailer }));
    });
  }

  /** The stream itself, for a client that reads slowly or leaves. */
  open(call: Call): ClientReadableStream<Buffer> {
    const { metadata, callOptions } = prepare(call);
    return this.#client.makeServerStreamRequest(
      call.path,
      asIs,
      asIs,
      encodeMessage(call.request, call.message),
      metadata,
      callOptions,
    );
  }
}

const asIs = (bytes: Buffer): Buffer => bytes;

function optional(options: CallOptions | undefined): { readonly options?: CallOptions } {
  return options === undefined ? {} : { options };
}

function prepare({ options = {} }: Call): { metadata: Metadata; callOptions: { deadline?: number } } {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  const { timeoutMs } = options;
  return { metadata, callOptions: timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs } };
}

export function protoTime(ns: bigint | undefined): object | undefined {
  if (ns === undefined) return undefined;
  return { seconds: String(ns / 1_000_000_000n), nanos: Number(ns % 1_000_000_000n) };
}

/** ns since the epoch, or of a duration. */
export function nsOf({ seconds, nanos }: ProtoTime): bigint {
  return seconds * 1_000_000_000n + BigInt(nanos);
}

function commonQuery(terms: GrpcTerms): object {
  const { service, operation, startNs, endNs, minNs = 0, maxNs = 0, limit, filter } = terms;
  return {
    serviceName: service,
    operationName: operation,
    startTimeMin: protoTime(startNs),
    startTimeMax: protoTime(endNs),
    ...(minNs === 0 ? {} : { durationMin: protoTime(BigInt(minNs)) }),
    ...(maxNs === 0 ? {} : { durationMax: protoTime(BigInt(maxNs)) }),
    searchDepth: limit,
    filter,
  };
}

function storageQuery(terms: GrpcTerms): object {
  const attributes = Object.entries(terms.tags ?? {}).map(([key, value]) => ({ key, value: anyValue(value) }));
  return { ...commonQuery(terms), attributes };
}

function textQuery(terms: GrpcTerms): object {
  const tags = Object.fromEntries(Object.entries(terms.tags ?? {}).map(([key, value]) => [key, String(value)]));
  return { ...commonQuery(terms), tags, rawTraces: terms.isRaw };
}

function anyValue(value: TagValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (value instanceof Uint8Array) return { bytesValue: value };
  return typeof value === 'bigint' || Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

function summaries(type: string, { messages }: Streamed<Uint8Array>): ProtoSummary[] {
  return messages.flatMap((message) => decodeMessage<{ summaries: ProtoSummary[] }>(type, message).summaries);
}

function chunks({ messages }: Streamed<Uint8Array>): JaegerSpan[][] {
  return messages.map(decodeSpans);
}

/** The spans of one SpansResponseChunk. */
export function decodeSpans(chunk: Uint8Array): JaegerSpan[] {
  return decodeMessage<{ spans: JaegerSpan[] }>('JaegerSpans', chunk).spans;
}

/** The traces of a stream by id (hex), in the order of their first message; the messages of one are laid end to end. */
export function tracesOf({ messages }: Streamed<Uint8Array>): Map<string, OtlpRequest> {
  const parts = new Map<string, Uint8Array[]>();
  for (const message of messages) {
    const ids = new Set(
      (decodeTraces(message).resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
        scopeSpans.flatMap(({ spans = [] }) => spans.map(({ traceId = [] }) => Buffer.from(traceId).toString('hex'))),
      ),
    );
    const [id] = ids;
    if (id === undefined || ids.size > 1) throw new Error(`a message has spans of ${ids.size} traces`);
    parts.set(id, [...(parts.get(id) ?? []), message]);
  }
  return new Map([...parts].map(([id, messages_]) => [id, decodeTraces(Buffer.concat(messages_))]));
}
