import { describe, expect, test } from 'vitest';
import { jaeger, one } from '../../support/jaeger-view.ts';
import type { OtlpKeyValue, OtlpRequest, OtlpSpan } from '../../support/otlp-proto.ts';
import { attribute, RICH_START_NS, span, spanId, traceOf } from '../../support/rich-trace.ts';

describe('adjusting', () => {
  const warnings = (data: OtlpRequest, isRaw = false): (string[] | null)[] =>
    jaeger(data, isRaw).spans.map((one_) => one_.warnings);

  test('a missing parent is warned of, except when raw', () => {
    const data = traceOf([span(1, { parentSpanId: spanId(0xabc) })]);
    expect(warnings(data)).toEqual([
      ['parent span ID=0000000000000abc is not in the trace; skipping clock skew adjustment'],
    ]);
    expect(warnings(data, true)).toEqual([null]);
  });

  test('the second span of an id is warned of, not the first', () => {
    expect(warnings(traceOf([span(1), span(1, { name: 'other' })]))).toEqual([
      null,
      ['duplicate span IDs; skipping clock skew adjustment'],
    ]);
  });

  test('a server span that shares its client’s id gets one of its own, and takes the children', () => {
    const data = traceOf([span(1, { kind: 3 }), span(1, { kind: 2 }), span(5, { parentSpanId: spanId(1) })]);
    const ids = (isRaw: boolean): (string | undefined)[][] =>
      jaeger(data, isRaw).spans.map(({ spanID, references }) => [spanID.slice(-1), references[0]?.spanID.slice(-1)]);
    expect(ids(false)).toEqual([
      ['1', undefined],
      ['2', '1'],
      ['5', '2'],
    ]);
    expect(ids(true)).toEqual([
      ['1', undefined],
      ['1', undefined],
      ['5', '1'],
    ]);
  });

  const host = (id: string): OtlpKeyValue[] => [attribute('service.name', 's'), attribute('host.id', id)];
  const child = (afterNs: bigint, lastsNs: bigint): OtlpSpan =>
    span(2, {
      parentSpanId: spanId(1),
      startTimeUnixNano: RICH_START_NS + afterNs,
      endTimeUnixNano: RICH_START_NS + afterNs + lastsNs,
    });

  test.each<[string, string, OtlpSpan, string | undefined]>([
    ['fits into its parent', 'h2', child(1_000n, 1_000n), undefined],
    ['ends after it: would be centred', 'h2', child(4_500n, 1_000n), '-2.5µs'],
    ['starts before it: would be centred', 'h2', child(-1_000n, 2_000n), '2.5µs'],
    ['is longer and starts before: would only move forward', 'h2', child(-1_000n, 9_000n), '1µs'],
    ['is longer and starts later: stays', 'h2', child(1_000n, 9_000n), undefined],
    ['is on the same host', 'h1', child(-1_000n, 2_000n), undefined],
  ])('a child that %s', (_what, hostId, second, delta) => {
    const data = {
      resourceSpans: [
        ...traceOf([span(1)], host('h1')).resourceSpans!,
        ...traceOf([second], host(hostId)).resourceSpans!,
      ],
    };
    const expected =
      delta === undefined ? null : [`clock skew adjustment disabled; not applying calculated delta of ${delta}`];
    expect(warnings(data)).toEqual([null, expected]);
  });

  test('a chain of 50,000 calls is no deeper than the stack', () => {
    const spans = Array.from({ length: 50_000 }, (_, i) => span(i + 1, i === 0 ? {} : { parentSpanId: spanId(i) }));
    expect(jaeger(traceOf(spans)).spans.length).toBe(50_000);
  });

  test('library attributes move to the resource; one that differs there stays and is warned of', () => {
    const attributes = [attribute('telemetry.sdk.name', 'otel'), attribute('thread.id', '1')];
    const moved = jaeger(traceOf([span(1, { attributes })]));
    expect([moved.spans[0]!.tags.map(({ key }) => key), moved.processes['p1']!.tags.map(({ key }) => key)]).toEqual([
      ['thread.id'],
      ['telemetry.sdk.name'],
    ]);
    const data = traceOf(
      [span(1, { attributes })],
      [attribute('service.name', 's'), attribute('telemetry.sdk.name', 'x')],
    );
    expect(warnings(data)).toEqual([['conflicting values between Span and Resource for attribute telemetry.sdk.name']]);
    expect(jaeger(data).spans[0]!.tags.length).toBe(2);
    expect(jaeger(data, true).processes['p1']!.tags.length).toBe(1);
  });

  test('warnings that came with the span are shown as warnings, raw or not, and not as a tag', () => {
    const stored = attribute('@jaeger@warnings', {
      arrayValue: { values: [{ stringValue: 'w1' }, { stringValue: 'w2' }] },
    });
    for (const isRaw of [false, true]) {
      const { tags, warnings: shown } = one({ attributes: [stored] }, isRaw);
      expect([tags, shown]).toEqual([[], ['w1', 'w2']]);
    }
  });
});
