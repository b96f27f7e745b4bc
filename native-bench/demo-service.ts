// A small real system, instrumented by hand with the OpenTelemetry SDK: a visitor calls the storefront, which calls the stock
// service, over node:http with W3C traceparent headers. Each exports through another official exporter, so that one trace
// reaches the store by gRPC, HTTP with protobuf and HTTP with JSON.
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context, Span, Tracer } from '@opentelemetry/api';
import { isSpanContextValid, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

export interface ExporterOutcome {
  readonly service: string;
  readonly protocol: string;
  readonly acknowledged: number;
  readonly failed: number;
  readonly error: string | undefined;
}

interface Instrumented {
  readonly tracer: Tracer;
  outcome(): ExporterOutcome;
  shutdown(): Promise<void>;
}

/** Runs `visits` visits; one in four asks for an item that does not exist. Resolves when every exporter has had its answer. */
export async function runDemoService(
  node: { url: string; grpcAddress: string },
  visits: number,
): Promise<{ outcomes: ExporterOutcome[]; traceIds: string[] }> {
  const traces = `${node.url}/v1/traces`;
  const visitor = instrument('demo-visitor', 'grpc', new GrpcExporter({ url: `http://${node.grpcAddress}` }));
  const storefront = instrument('demo-storefront', 'http/protobuf', new ProtobufExporter({ url: traces }));
  const stock = instrument('demo-stock', 'http/json', new JsonExporter({ url: traces }));
  const all = [visitor, storefront, stock];
  const stockServer = await listen((request, reply) => serveStock(stock.tracer, request, reply));
  const storefrontServer = await listen((request, reply) =>
    serveOrder(storefront.tracer, { request, reply, stockUrl: urlOf(stockServer) }),
  );
  const traceIds: string[] = [];
  try {
    for (let i = 0; i < visits; i++)
      traceIds.push(
        await visit(
          visitor.tracer,
          `${urlOf(storefrontServer)}/orders/${i % 4 === 3 ? 'unobtainium' : 'telescope'}?quantity=${1 + i}`,
        ),
      );
  } finally {
    for (const server of [storefrontServer, stockServer]) server.close();
    // A failed export is in the outcomes, with its reason; shutdown() rejecting with the same says nothing more.
    await Promise.allSettled(all.map((service) => service.shutdown()));
  }
  return { outcomes: all.map((service) => service.outcome()), traceIds };
}

function instrument(service: string, protocol: string, exporter: SpanExporter): Instrumented {
  const counting = new CountingExporter(exporter);
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': service,
      'service.version': '1.0.0',
      'demo.exporter': protocol,
    }),
    spanProcessors: [new BatchSpanProcessor(counting)],
  });
  return {
    tracer: provider.getTracer('tracelith-demo', '1.0.0'),
    outcome: () => ({
      service,
      protocol,
      acknowledged: counting.acknowledged,
      failed: counting.failed,
      error: counting.error,
    }),
    shutdown: () => provider.shutdown(),
  };
}

/** The SDK keeps an exporter's answer to itself; this counts what was acknowledged on its way through. */
class CountingExporter implements SpanExporter {
  acknowledged = 0;
  failed = 0;
  error: string | undefined;
  readonly #exporter: SpanExporter;

  constructor(exporter: SpanExporter) {
    this.#exporter = exporter;
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#exporter.export(spans, (result) => {
      // ExportResultCode.SUCCESS is 0.
      if (result.code === 0) this.acknowledged += spans.length;
      else {
        this.failed += spans.length;
        this.error = result.error?.message ?? 'no reason given';
      }
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

async function listen(serve: (request: IncomingMessage, reply: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((request, reply) => {
    serve(request, reply).catch((error: unknown) => reply.writeHead(500).end(String(error)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function visit(tracer: Tracer, url: string): Promise<string> {
  const root = tracer.startSpan(
    'visit',
    { kind: SpanKind.INTERNAL, attributes: { 'demo.page': new URL(url).pathname } },
    ROOT_CONTEXT,
  );
  const status = await call(tracer, url, trace.setSpan(ROOT_CONTEXT, root));
  root.setAttribute('demo.succeeded', status === 200);
  root.end();
  return root.spanContext().traceId;
}

/** One HTTP call as a client span; the context travels in the traceparent header. */
async function call(tracer: Tracer, url: string, parent: Context): Promise<number> {
  const { pathname, port } = new URL(url);
  const span = tracer.startSpan(
    'GET',
    {
      kind: SpanKind.CLIENT,
      attributes: { 'http.request.method': 'GET', 'url.full': url, 'server.port': Number(port) },
    },
    parent,
  );
  const { traceId, spanId } = span.spanContext();
  const reply = await fetch(url, { headers: { traceparent: `00-${traceId}-${spanId}-01` } });
  await reply.arrayBuffer();
  span.setAttribute('http.response.status_code', reply.status);
  if (reply.status >= 400)
    span.setStatus({ code: SpanStatusCode.ERROR, message: `${pathname}: status ${reply.status}` });
  span.end();
  return reply.status;
}

async function serveOrder(
  tracer: Tracer,
  { request, reply, stockUrl }: { request: IncomingMessage; reply: ServerResponse; stockUrl: string },
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://storefront');
  const item = url.pathname.split('/').at(-1) ?? '';
  const span = serverSpan(tracer, request, 'GET /orders/{item}');
  const inside = trace.setSpan(ROOT_CONTEXT, span);
  const pricing = tracer.startSpan(
    'compute price',
    { attributes: { 'order.quantity': Number(url.searchParams.get('quantity')), 'order.discount': 0.1 } },
    inside,
  );
  pricing.addEvent('price list loaded', { 'price.currency': 'EUR' });
  pricing.end();
  const stockStatus = await call(tracer, `${stockUrl}/stock/${item}`, inside);
  finish(span, reply, stockStatus === 200 ? 200 : 502);
}

async function serveStock(tracer: Tracer, request: IncomingMessage, reply: ServerResponse): Promise<void> {
  const item = (request.url ?? '').split('/').at(-1) ?? '';
  const span = serverSpan(tracer, request, 'GET /stock/{item}');
  const attributes = {
    'db.system.name': 'postgresql',
    'db.query.text': 'SELECT count FROM stock WHERE item = $1',
    'db.query.parameter.0': item,
  };
  const query = tracer.startSpan(
    'SELECT stock',
    { kind: SpanKind.CLIENT, attributes },
    trace.setSpan(ROOT_CONTEXT, span),
  );
  await new Promise((resolve) => setImmediate(resolve));
  query.end();
  if (item === 'unobtainium') span.recordException(new Error(`no such item: ${item}`));
  finish(span, reply, item === 'unobtainium' ? 404 : 200);
}

function serverSpan(tracer: Tracer, request: IncomingMessage, name: string): Span {
  const attributes = {
    'http.request.method': request.method ?? '',
    'url.path': request.url ?? '',
    'user_agent.original': request.headers['user-agent'] ?? '',
  };
  return tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, remoteParent(request.headers['traceparent']));
}

function remoteParent(traceparent: string | string[] | undefined): Context {
  const [, traceId = '', spanId = ''] = typeof traceparent === 'string' ? traceparent.split('-') : [];
  const parent = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

function finish(span: Span, reply: ServerResponse, status: number): void {
  span.setAttribute('http.response.status_code', status);
  if (status >= 400) span.setStatus({ code: SpanStatusCode.ERROR, message: `status ${status}` });
  span.end();
  reply.writeHead(status).end();
}
