// The official OpenTelemetry JS exporters against the real program: what an export has acknowledged is found at once (P2),
// and an export that had to be repeated is there exactly once (P5).
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { askJson, exportTrace, force, readLedger, search, type JaegerTrace } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { EXPORTER_CASES, exportOnce, openExporter } from '../support/otlp-exporters.ts';
import { looseSpans } from '../support/otlp-json-set.ts';
import { FaultyProxy, type Fault } from '../support/faulty-proxy.ts';

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

describe.each(EXPORTER_CASES)('the %s exporter with compression %s', (protocol, compression) => {
  const options = () => ({ protocol, compression, httpUrl: node.url, grpcAddress: node.grpcAddress });

  test('an acknowledged span is found at once: by service, search and id', async () => {
    const service = `shop over ${protocol} ${compression}`;
    const traceId = await exportOnce(openExporter(options()), service);
    const { data: services } = await askJson<{ data: string[] }>(node, '/api/services');
    expect(services).toContain(service);
    const operations = await askJson<{ data: unknown }>(node, `/api/operations?service=${encodeURIComponent(service)}`);
    expect(operations.data).toEqual([{ name: 'GET /cart', spanKind: 'server' }]);
    const tags = {
      'http.status_code': '200',
      big: '9007199254740991',
      ratio: '0.25',
      ok: 'true',
      error: 'true',
      attempt: '2',
      why: 'batch',
    };
    const found = await search(node, { service, operation: 'GET /cart', tags });
    expect(found.map(({ traceID }) => traceID)).toEqual([traceId]);
    const [{ span, scope }] = looseSpans(await exportTrace(node, traceId)) as [ReturnType<typeof looseSpans>[0]];
    expect(scope['scope']).toEqual({ name: 'scope', version: '1.2.3' });
    expect(span).toMatchObject({
      name: 'GET /cart',
      kind: 2,
      status: { code: 2, message: 'out of stock' },
      events: [{ name: 'retry' }],
    });
    expect(span['attributes']).toEqual([
      { key: 'http.status_code', value: { intValue: '200' } },
      { key: 'big', value: { intValue: '9007199254740991' } },
      { key: 'ratio', value: { doubleValue: 0.25 } },
      { key: 'ok', value: { boolValue: true } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
      { key: 'empty', value: { stringValue: '' } },
    ]);
  });

  test('a batch of 700 spans is there whole when it is flushed', async () => {
    const provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': `batch over ${protocol} ${compression}` }),
      spanProcessors: [new BatchSpanProcessor(openExporter(options()), { maxExportBatchSize: 64 })],
    });
    const tracer = provider.getTracer('batch');
    for (let i = 0; i < 700; i++) tracer.startSpan(`op-${i}`).end();
    await provider.forceFlush();
    const found = await search(node, { service: `batch over ${protocol} ${compression}` });
    await provider.shutdown();
    expect(new Set(found.flatMap(({ spans }) => spans.map(({ operationName }) => operationName))).size).toBe(700);
  });

  test.each<Fault>(['refuse', 'lose answer'])(
    'after a 503 (%s) the retry leaves the span there exactly once',
    { timeout: 20_000 },
    async (fault) => {
      await using proxy = await FaultyProxy.open(node, fault);
      const service = `${fault} over ${protocol} ${compression}`;
      const before = await readLedger(node);
      const traceId = await exportOnce(
        openExporter({ ...options(), httpUrl: proxy.httpUrl, grpcAddress: proxy.grpcAddress }),
        service,
      );
      expect(proxy.requests).toBe(2);
      const after = await readLedger(node);
      const stored = 'tracelith_rows_stored_total';
      expect(after[stored]! - before[stored]!).toBe(fault === 'refuse' ? 1 : 2);
      for (const move of [() => Promise.resolve(), () => force(node, 'flush'), () => force(node, 'merge')]) {
        await move();
        expect(looseSpans(await exportTrace(node, traceId))).toHaveLength(1);
        const found = await search(node, { service });
        expect(found.map(({ spans }: JaegerTrace) => spans.length)).toEqual([1]);
      }
    },
  );
});
