// Traces of the node itself, by OpenTelemetry's SDK: requests, the queries in them, flushes and merges. Off, nothing of it is loaded
// and nobody measures more. It never traces what it causes: exports carry a header by which the receiver knows them, here or on
// another node; flushes and merges are traced only as often as others have sent spans.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api';
import type { BasicTracerProvider, ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../../base/logger.ts';
import { splitLogin } from '../../base/url-login.ts';
import type { Config } from '../../config.ts';
import type { RunQuery } from '../../query/local-reader.ts';
import type { FinishedWork } from '../../storage/maintenance.ts';
import { DEFAULT_TENANT } from '../../trace/tenant.ts';
import type { Intake } from './intake.ts';
import type * as otelSdk from './otel-sdk.ts';
import type { Metrics } from './metrics.ts';

type Sdk = typeof otelSdk;

/** A request with this header is an export of a node's own traces. */
export const SELF_TRACES_HEADER = 'tracelith-self-traces';
/** -selfTracing.url for the node's own store. */
export const INTO_ITSELF = 'self';
/** Spans that wait for an export, and those of one. When more wait, new ones are dropped. */
const WAITING_MAX = 4_096;
const BATCH_MAX = 512;
const EXPORT_INTERVAL_MS = 2_000;
/** The last export, when the process ends, takes no longer. */
const LAST_MAX_MS = 2_000;

export interface SelfTracesParts {
  readonly config: Pick<Config, 'selfTracingUrl' | 'selfTracingRatio' | 'selfTracingHeaders'>;
  readonly intake: Pick<Intake, 'open' | 'write'>;
  readonly metrics: Pick<Metrics, 'countSelfSpans'>;
  readonly logger: Logger;
  readonly version: string;
  /** Tells the node from others: service.instance.id. */
  readonly instance: string;
}

/** A request that begins. */
export interface TracedRequest {
  readonly name: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** It sends spans to be stored. */
  readonly isIngest: boolean;
  readonly attributes: Attributes;
}

/** The span of a request that has begun. */
export interface RequestTrace {
  /** Runs `work`; queries in it belong to the request. */
  run<T>(work: () => T): T;
  /** `status`: of HTTP, or that which the same failure has over HTTP. */
  end(status: number): void;
}

/** undefined: -selfTracing.url is empty. */
export async function openSelfTraces(parts: SelfTracesParts): Promise<SelfTraces | undefined> {
  if (parts.config.selfTracingUrl === '') return undefined;
  return new SelfTraces(await import('./otel-sdk.ts'), parts);
}

export class SelfTraces {
  readonly #sdk: Sdk;
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;
  readonly #requests = new AsyncLocalStorage<Context>();
  /** Others have sent spans since the last flush that was traced. */
  #hasIngest = false;
  /** Flushes that were traced, less merges that were: each merge has at least two parts, so no more are due to others. */
  #mergesDue = 0;

  constructor(sdk: Sdk, parts: SelfTracesParts) {
    this.#sdk = sdk;
    const { config, version, instance } = parts;
    const exporter = counting(
      config.selfTracingUrl === INTO_ITSELF ? intoItself(sdk, parts) : overHttp(sdk, parts),
      parts,
    );
    const batches = {
      maxQueueSize: WAITING_MAX,
      maxExportBatchSize: BATCH_MAX,
      scheduledDelayMillis: EXPORT_INTERVAL_MS,
    };
    this.#provider = new sdk.BasicTracerProvider({
      resource: sdk.resourceFromAttributes({
        'service.name': 'tracelith',
        'service.version': version,
        'service.instance.id': instance,
      }),
      sampler: new sdk.TraceIdRatioBasedSampler(config.selfTracingRatio),
      spanProcessors: [new sdk.BatchSpanProcessor(exporter, batches)],
    });
    this.#tracer = this.#provider.getTracer('tracelith', version);
  }

  /** undefined for an export of a node's own traces. */
  begin({ name, headers, isIngest, attributes }: TracedRequest): RequestTrace | undefined {
    if (headers[SELF_TRACES_HEADER] !== undefined) return undefined;
    this.#hasIngest ||= isIngest;
    const { SpanKind, SpanStatusCode, ROOT_CONTEXT, trace } = this.#sdk;
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER, attributes, root: true }, ROOT_CONTEXT);
    const context = trace.setSpan(ROOT_CONTEXT, span);
    return {
      run: (work) => this.#requests.run(context, work),
      end: (status) => {
        span.setAttribute('http.response.status_code', status);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }

  /** A query that has ended, in the request that runs now. */
  query({ tenant, kind, seconds, bytes, outcome, phases }: RunQuery): void {
    const endMs = Date.now();
    const attributes = { 'tracelith.tenant': tenant, 'tracelith.bytes': bytes, 'tracelith.outcome': outcome };
    const within = this.#requests.getStore() ?? this.#sdk.ROOT_CONTEXT;
    const startMs = endMs - seconds * 1_000;
    const query = this.#span(`query ${kind}`, { startMs, endMs, attributes, within });
    if (outcome !== 'ok') query.setStatus({ code: this.#sdk.SpanStatusCode.ERROR, message: outcome });
    query.end(endMs);
    // Phases take turns block by block; each is shown as one span as long as all of its turns.
    let fromMs = startMs;
    for (const [name, tookMs] of Object.entries(phases)) {
      const part = { startMs: fromMs, endMs: fromMs + tookMs, within: this.#sdk.trace.setSpan(within, query) };
      this.#span(name, part).end(part.endMs);
      fromMs += tookMs;
    }
  }

  /** A flush or merge that has ended. */
  worked({ kind, partition, startMs, endMs, rows }: FinishedWork): void {
    if (kind === 'flush' ? !this.#hasIngest : this.#mergesDue === 0) return;
    this.#mergesDue += kind === 'flush' ? 1 : -1;
    if (kind === 'flush') this.#hasIngest = false;
    const attributes = { 'tracelith.partition': partition, 'tracelith.rows': rows };
    this.#span(kind, { startMs, endMs, attributes, within: this.#sdk.ROOT_CONTEXT }).end(endMs);
  }

  #span(
    name: string,
    span: {
      readonly startMs: number;
      readonly endMs: number;
      readonly attributes?: Attributes;
      readonly within: Context;
    },
  ): Span {
    return this.#tracer.startSpan(name, { startTime: span.startMs, attributes: span.attributes ?? {} }, span.within);
  }

  /** Exports what waits. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const late = setTimeout(resolve, LAST_MAX_MS);
    // The exporter counts and logs its failures.
    void this.#provider.shutdown().then(resolve, resolve);
    await promise;
    clearTimeout(late);
  }
}

function overHttp(sdk: Sdk, { config }: SelfTracesParts): SpanExporter {
  const { url, headers: login } = splitLogin(config.selfTracingUrl);
  const headers = { ...login, ...config.selfTracingHeaders, [SELF_TRACES_HEADER]: '1' };
  return new sdk.OTLPTraceExporter({ url, headers });
}

/** Writes to the node's own store, as a request that no listener sees. */
function intoItself({ ProtobufTraceSerializer }: Sdk, { intake }: SelfTracesParts): SpanExporter {
  const write = async (spans: ReadableSpan[]): Promise<void> => {
    const body = ProtobufTraceSerializer.serializeRequest(spans);
    if (body === undefined) throw new Error('the SDK made nothing of its spans');
    using account = intake.open(DEFAULT_TENANT);
    account.add(body.length);
    await intake.write(account, body, 'opentelemetry_traces_otlphttp_protobuf');
  };
  return {
    export: (spans, done) =>
      void write(spans).then(
        () => done({ code: 0 }),
        (error: unknown) => done({ code: 1, error: error as Error }),
      ),
    shutdown: () => Promise.resolve(),
  };
}

/** Counts what `exporter` does, and logs the first failure of several. */
function counting(exporter: SpanExporter, { metrics, logger }: SelfTracesParts): SpanExporter {
  let isFailing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const hasFailed = result.code !== 0;
        metrics.countSelfSpans(hasFailed ? 'failed' : 'ok', spans.length);
        if (hasFailed && !isFailing)
          logger.warn('traces of the node itself cannot be exported; these spans are lost', { error: result.error });
        if (!hasFailed && isFailing) logger.info('traces of the node itself are exported again');
        isFailing = hasFailed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
