// The official OpenTelemetry JS exporters, as an application sets them up, over all three protocols, plain and gzip.
import { SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { ServiceError } from '@grpc/grpc-js';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { decodeRetrySeconds, decodeRpcStatus } from './otlp-proto.ts';

export type Compression = 'none' | 'gzip';

export interface ExporterOptions {
  /** http/protobuf, http/json or grpc. */
  readonly protocol: string;
  readonly compression: Compression;
  /** http://host:port */
  readonly httpUrl: string;
  /** host:port */
  readonly grpcAddress: string;
  /** Of HTTP only. */
  readonly headers?: Record<string, string>;
}

/** Every protocol with every compression. */
export const EXPORTER_CASES: readonly (readonly [protocol: string, compression: Compression])[] = [
  'http/protobuf',
  'http/json',
  'grpc',
].flatMap((protocol) => (['none', 'gzip'] as const).map((compression) => [protocol, compression] as const));

export function openExporter(options: ExporterOptions): SpanExporter {
  const { protocol, httpUrl, headers = {} } = options;
  // The enum of the exporters' base package, which is not a dependency of ours: its values are these texts.
  const shared = { compression: options.compression as never };
  if (protocol === 'http/protobuf')
    return new ProtobufExporter({ ...shared, headers, url: `${httpUrl}/insert/opentelemetry/v1/traces` });
  if (protocol === 'http/json') return new JsonExporter({ ...shared, headers, url: `${httpUrl}/v1/traces` });
  return retryOnce(new GrpcExporter({ ...shared, url: `http://${options.grpcAddress}` }));
}

/**
 * The JS gRPC exporter 0.223.1 retries nothing by itself (the HTTP ones do), so this does for it what OTLP asks of a
 * sender, and the Collector does: again after the RetryInfo of the status, and only when there is one.
 */
function retryOnce(exporter: SpanExporter): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const delaySeconds = retrySecondsOf(result.error);
        if (delaySeconds === undefined) done(result);
        else exporter.export(spans, done);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

function retrySecondsOf(error: Error | undefined): bigint | undefined {
  const [bytes] = (error as Partial<ServiceError> | undefined)?.metadata?.get('grpc-status-details-bin') ?? [];
  const [detail] = bytes === undefined ? [] : (decodeRpcStatus(bytes as Buffer).details ?? []);
  return detail?.value === undefined ? undefined : decodeRetrySeconds(detail.value);
}

/** Records one span with everything the API can attach; returns its trace id in hex. */
export function recordSpan(tracer: Tracer): string {
  const root = tracer.startSpan('GET /cart', {
    kind: SpanKind.SERVER,
    attributes: { 'http.status_code': 200, big: 2 ** 53 - 1, ratio: 0.25, ok: true, list: ['a', 'b'], empty: '' },
  });
  root.addEvent('retry', { attempt: 2 });
  root.addLink({
    context: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 },
    attributes: { why: 'batch' },
  });
  root.setStatus({ code: SpanStatusCode.ERROR, message: 'out of stock' });
  root.end();
  return root.spanContext().traceId;
}

/** Records a span in an application called `service`, and resolves with its trace id when its export is over. */
export async function exportOnce(exporter: SpanExporter, service = 'shop'): Promise<string> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const traceId = recordSpan(provider.getTracer('scope', '1.2.3'));
  await provider.forceFlush();
  await provider.shutdown();
  return traceId;
}
