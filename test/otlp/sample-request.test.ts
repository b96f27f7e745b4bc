// The made-up request is one that the intake accepts, and the same in every run.
import { expect, test } from 'vitest';
import { readTraceViews } from '../../src/api/jaeger/jaeger-model.ts';
import { sampleRequest } from '../../src/otlp/sample-request.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';

test('40 traces of 12 spans that the intake accepts', () => {
  const batch = new SpanBatch();
  const { stored, rejected } = scanRequest(batch, sampleRequest(), { startMinNs: 0n, startMaxNs: 2n ** 63n - 1n });
  expect([stored, rejected.size]).toEqual([480, 0]);
  expect(batch.events.count).toBe(120);
  const views = readTraceViews(sampleRequest());
  expect(views.map(({ count }) => count)).toEqual(Array.from({ length: 40 }, () => 12));
  expect(Buffer.compare(sampleRequest(), sampleRequest())).toBe(0);
});
