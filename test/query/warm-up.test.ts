// The made-up spans that a node runs queries on before its first one: they are valid, found by every search, and read whole.
import { expect, test } from 'vitest';
import { readTraceViews } from '../../src/api/jaeger/jaeger-model.ts';
import { sampleRequest } from '../../src/otlp/sample-request.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { warmUp } from '../../src/query/warm-up.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';

test('a pass runs, again and again', () => {
  for (let pass = 0; pass < 3; pass++) warmUp();
});

test('the sample is 40 traces of 12 spans that the intake accepts, in every run the same', () => {
  const batch = new SpanBatch();
  const { stored, rejected } = scanRequest(batch, sampleRequest(), { startMinNs: 0n, startMaxNs: 2n ** 63n - 1n });
  expect([stored, rejected.size]).toEqual([480, 0]);
  expect(batch.events.count).toBe(120);
  const views = readTraceViews(sampleRequest());
  expect(views.map(({ count }) => count)).toEqual(Array.from({ length: 40 }, () => 12));
  expect(Buffer.compare(sampleRequest(), sampleRequest())).toBe(0);
});
