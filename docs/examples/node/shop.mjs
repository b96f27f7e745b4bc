// A small shop, instrumented by hand: every order is a trace of two spans. The exporter sends to 127.0.0.1:4318 unless
// OTEL_EXPORTER_OTLP_ENDPOINT says otherwise.
import { createServer } from 'node:http';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const prices = { tea: 3, coffee: 4 };
const port = Number(process.env.PORT ?? 8080);
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME ?? 'shop-node' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 1_000 })],
});
const tracer = provider.getTracer('shop');

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://shop');
  const span = tracer.startSpan('GET /order', { kind: SpanKind.SERVER, attributes: { 'url.query': url.search } });
  const price = priceOf(url.searchParams.get('item') ?? '', trace.setSpan(context.active(), span));
  span.setAttribute('http.response.status_code', price === undefined ? 404 : 200);
  span.end();
  response.writeHead(price === undefined ? 404 : 200).end(price === undefined ? 'not for sale\n' : `${price}\n`);
});

function priceOf(item, parent) {
  const span = tracer.startSpan('look up the price', { attributes: { item } }, parent);
  const price = Object.hasOwn(prices, item) ? prices[item] : undefined;
  if (price === undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: 'not for sale' });
  span.end();
  return price;
}

server.listen(port, '127.0.0.1', () => console.log(`the shop is open: http://127.0.0.1:${port}/order?item=tea`));
process.on('SIGTERM', () => {
  server.close();
  void provider.shutdown(); // sends what is left
});
