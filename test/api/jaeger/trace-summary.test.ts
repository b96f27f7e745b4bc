// Summaries as Jaeger computes them (contract/jaeger.md §1.5), and as Jaeger UI's validation wants them (§2.4).
import { expect, test } from 'vitest';
import { summarizeTrace, summaryJson } from '../../../src/api/jaeger/trace-summary.ts';
import { encodeTraces, type OtlpSpan } from '../../support/otlp-proto.ts';

const traceId = Uint8Array.from({ length: 16 }, (_, i) => (i < 8 ? 0 : i));
const id = (n: number): Uint8Array => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, n);
const span = (n: number, change: Partial<OtlpSpan> = {}): OtlpSpan => ({
  traceId,
  spanId: id(n),
  name: `op-${n}`,
  startTimeUnixNano: 1_790_000_000_000_000_000n + BigInt(n),
  endTimeUnixNano: 1_790_000_000_000_001_000n + BigInt(n),
  ...change,
});

function summaryOf(services: Readonly<Record<string, OtlpSpan[]>>): unknown {
  const resourceSpans = Object.entries(services).map(([name, spans]) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] },
    scopeSpans: [{ spans }],
  }));
  const summary = summarizeTrace({ traceId, otlp: encodeTraces({ resourceSpans }) });
  return summary === undefined ? undefined : JSON.parse(summaryJson(summary));
}

test('counts spans, errors and orphans, in all and by service in order of name', () => {
  const summary = summaryOf({
    shop: [
      span(2, { parentSpanId: id(1), status: { code: 2 } }),
      span(3, { parentSpanId: id(77), status: { code: 1 } }),
    ],
    front: [span(1), span(4, { parentSpanId: id(1), status: { code: 2 } })],
  });
  expect(summary).toEqual({
    traceId: '000000000000000008090a0b0c0d0e0f',
    rootServiceName: 'front',
    rootOperationName: 'op-1',
    minStartTimeUnixNano: '1790000000000000001',
    maxEndTimeUnixNano: '1790000000000001004',
    spanCount: 4,
    errorSpanCount: 2,
    orphanSpanCount: 1,
    services: [
      { name: 'front', spanCount: 2, errorSpanCount: 1 },
      { name: 'shop', spanCount: 2, errorSpanCount: 1 },
    ],
  });
});

test('the root is the earliest span without parent, and none leaves its fields out', () => {
  expect(summaryOf({ a: [span(5), span(3), span(4)] })).toMatchObject({ rootOperationName: 'op-3' });
  const orphan = summaryOf({ a: [span(5, { parentSpanId: id(9) })] });
  expect(orphan).toMatchObject({ spanCount: 1, orphanSpanCount: 1 });
  expect(orphan).not.toHaveProperty('rootServiceName');
  expect(orphan).not.toHaveProperty('errorSpanCount');
});

test('an empty trace has none', () => {
  expect(summaryOf({})).toBeUndefined();
});
