// Spans of api_v2 against the goldens of the legacy JSON, which Jaeger v2.20 printed itself: both are views of one model.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readTraceView } from '../../../src/api/jaeger/jaeger-model.ts';
import { jaegerSpanChunks } from '../../../src/api/jaeger/jaeger-protobuf.ts';
import { jaegerText } from '../../support/jaeger-view.ts';
import { inlineProcesses, legacyOf } from '../../support/legacy-spans.ts';
import { encodeTraces, type OtlpRequest } from '../../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../../support/random-request.ts';
import { attribute, RICH_START_NS, RICH_TRACE, span, traceOf } from '../../support/rich-trace.ts';
import { decodeSpans, nsOf, type JaegerSpan } from '../../support/storage-client.ts';

function chunksOf(data: OtlpRequest, isRaw = false): JaegerSpan[][] {
  const chunks = [...jaegerSpanChunks(readTraceView(encodeTraces(data))!, isRaw)];
  return chunks.filter(({ length }) => length > 0).map(decodeSpans);
}

function spansOf(data: OtlpRequest, isRaw = false): JaegerSpan[] {
  return chunksOf(data, isRaw).flat();
}

function golden(name: string): unknown[] {
  const text = readFileSync(new URL(`../../../fixtures/jaeger/${name}`, import.meta.url), 'utf8');
  return inlineProcesses(JSON.parse(text) as Parameters<typeof inlineProcesses>[0]);
}

test('the rich trace is what Jaeger v2.20 makes of it, adjusted and raw', () => {
  expect(legacyOf(spansOf(RICH_TRACE))).toEqual(golden('rich-trace.json'));
  expect(legacyOf(spansOf(RICH_TRACE, true))).toEqual(golden('rich-trace-raw.json'));
});

test('any random trace says what its legacy JSON says', () => {
  const random = createRandom(printedSeed('jaeger-protobuf'));
  const texts = { NaN: NaN, '+Inf': Infinity, '-Inf': -Infinity } as const;
  for (let i = 0; i < 200; i++) {
    const data = randomRequest(random, RICH_START_NS);
    if (readTraceView(encodeTraces(data)) === undefined) continue;
    for (const isRaw of [false, true]) {
      // JSON has no numbers for these; protobuf has.
      const trace = JSON.parse(jaegerText(encodeTraces(data), isRaw), (_key, value: unknown) => {
        const tag = value as { type?: unknown; value?: keyof typeof texts } | null;
        return tag?.type === 'float64' && typeof tag.value === 'string' ? { ...tag, value: texts[tag.value] } : value;
      }) as Parameters<typeof inlineProcesses>[0];
      expect(legacyOf(spansOf(data, isRaw))).toEqual(inlineProcesses(trace));
    }
  }
});

describe('exact where JSON is not', () => {
  test('times have nanoseconds, integers 64 bits', () => {
    const one = span(1, {
      attributes: [attribute('int', { intValue: -(2n ** 63n) })],
      events: [{ timeUnixNano: RICH_START_NS + 7n }],
    });
    const [found] = spansOf(traceOf([one]));
    expect(nsOf(found!.startTime)).toBe(RICH_START_NS);
    expect(nsOf(found!.duration)).toBe(5_000n);
    expect(nsOf(found!.logs[0]!.timestamp)).toBe(RICH_START_NS + 7n);
    expect(found!.tags.find(({ key }) => key === 'int')!.vInt64).toBe(-(2n ** 63n));
  });
});

describe('chunks', () => {
  test('have ten spans at most and are never empty', () => {
    const sizes = (count: number): number[] =>
      chunksOf(traceOf(Array.from({ length: count }, (_, i) => span(i + 1)))).map(({ length }) => length);
    expect([sizes(1), sizes(10), sizes(11), sizes(25)]).toEqual([[1], [10], [10, 1], [10, 10, 5]]);
  });

  test('are cut earlier where spans are large', () => {
    const spans = Array.from({ length: 6 }, (_, i) => span(i + 1, { traceState: 'x'.repeat(1 << 20) }));
    expect(chunksOf(traceOf(spans)).map(({ length }) => length)).toEqual([2, 2, 2]);
  });
});
