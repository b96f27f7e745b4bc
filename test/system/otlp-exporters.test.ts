// The official OpenTelemetry JS exporters against the real listeners, over all three protocols, plain and gzip.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { ServiceError } from '@grpc/grpc-js';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { StoreError } from '../../src/base/errors.ts';
import { openEdgeServers, type EdgeServers } from '../support/edge-servers.ts';
import {
  decodeRetrySeconds,
  decodeRpcStatus,
  spansOf,
  type OtlpRequest,
  type OtlpSpan,
} from '../support/otlp-proto.ts';

type Compression = 'none' | 'gzip';

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers();
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.store.writes.length = 0;
  edge.store.failures.length = 0;
  edge.store.attempts = 0;
});

function openExporter(protocol: string, compression: Compression): SpanExporter {
  // The enum of the exporters' base package, which is not a dependency of ours: its values are these texts.
  const shared = { compression: compression as never };
  const headers = { AccountID: '12', ProjectID: '34' };
  if (protocol === 'http/protobuf')
    return new ProtobufExporter({ ...shared, headers, url: edge.url('/insert/opentelemetry/v1/traces') });
  if (protocol === 'http/json') return new JsonExporter({ ...shared, headers, url: edge.url('/v1/traces') });
  return retryOnce(new GrpcExporter({ ...shared, url: `http://127.0.0.1:${edge.grpc.port}` }));
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

/** One span with everything the API can attach. */
function recordSpan(tracer: Tracer): void {
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
}

async function exportOnce(protocol: string, compression: Compression): Promise<void> {
  const exporter = openExporter(protocol, compression);
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'shop' }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  recordSpan(provider.getTracer('scope', '1.2.3'));
  await provider.forceFlush();
  await provider.shutdown();
}

/** The request without what differs from run to run. */
function stableOf(request: OtlpRequest): unknown {
  const stable = (span: OtlpSpan): unknown => ({
    ...span,
    traceId: span.traceId?.length,
    spanId: span.spanId?.length,
    startTimeUnixNano: 'time',
    endTimeUnixNano: 'time',
    events: span.events?.map((event) => ({ ...event, timeUnixNano: 'time' })),
  });
  return {
    ...request,
    resourceSpans: request.resourceSpans?.map((r) => ({
      ...r,
      scopeSpans: r.scopeSpans?.map((s) => ({ ...s, spans: s.spans?.map(stable) })),
    })),
  };
}

const cases = ['http/protobuf', 'http/json', 'grpc'].flatMap((protocol) =>
  (['none', 'gzip'] as const).map((compression) => [protocol, compression] as const),
);

describe('the official exporters', () => {
  test.each(cases)('%s with compression %s arrives whole', async (protocol, compression) => {
    await exportOnce(protocol, compression);
    expect(edge.store.writes).toHaveLength(1);
    const [{ request, tenant }] = edge.store.writes as [(typeof edge.store.writes)[0]];
    expect(tenant).toBe(protocol === 'grpc' ? '0:0' : '12:34');
    const [span] = spansOf(request);
    expect(span).toMatchObject({ name: 'GET /cart', kind: 2, status: { code: 2, message: 'out of stock' } });
    expect(span!.attributes).toEqual([
      { key: 'http.status_code', value: { intValue: 200n } },
      { key: 'big', value: { intValue: 2n ** 53n - 1n } },
      { key: 'ratio', value: { doubleValue: 0.25 } },
      { key: 'ok', value: { boolValue: true } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
      { key: 'empty', value: { stringValue: '' } },
    ]);
    expect(span!.startTimeUnixNano).toBeGreaterThan(1_700_000_000_000_000_000n);
    expect(span!.events?.[0]).toMatchObject({
      name: 'retry',
      attributes: [{ key: 'attempt', value: { intValue: 2n } }],
    });
    expect(Buffer.from(span!.links![0]!.traceId!).toString('hex')).toBe('0af7651916cd43dd8448eb211c80319c');
  });

  test('all six say the same', async () => {
    for (const [protocol, compression] of cases) await exportOnce(protocol, compression);
    const [first, ...others] = edge.store.writes.map((write) => stableOf(write.request));
    expect(others).toHaveLength(5);
    for (const other of others) expect(other).toEqual(first);
  });

  test.each(
    cases.flatMap(([protocol, compression]) =>
      (['UNAVAILABLE', 'OVERLOADED'] as const).map((code) => [protocol, compression, code] as const),
    ),
  )('%s %s: after %s the retry lands exactly once', { timeout: 15_000 }, async (protocol, compression, code) => {
    edge.store.failures.push(new StoreError(code, 'not now'));
    await exportOnce(protocol, compression);
    expect([edge.store.attempts, edge.store.writes.length]).toEqual([2, 1]);
  });

  test.each(['http/protobuf', 'http/json', 'grpc'])('%s: what is malformed is not sent again', async (protocol) => {
    edge.store.failures.push(new StoreError('INVALID_REQUEST', 'bad'));
    await exportOnce(protocol, 'none').catch((error: unknown) => expect(String(error)).toMatch(/bad|Bad Request/));
    expect([edge.store.attempts, edge.store.writes.length]).toEqual([1, 0]);
  });
});
