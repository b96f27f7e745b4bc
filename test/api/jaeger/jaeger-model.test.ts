import { describe, expect, test } from 'vitest';
import { formatGoTime } from '../../../src/api/jaeger/jaeger-model.ts';
import { jaeger, jaegerText, one, tagsOf, type JaegerSpan, type JaegerTrace } from '../../support/jaeger-view.ts';
import { encodeTraces, type OtlpKeyValue, type OtlpSpan } from '../../support/otlp-proto.ts';
import { attribute, RICH_START_NS, span, traceOf } from '../../support/rich-trace.ts';

describe('processes', () => {
  const of = (...resources: OtlpKeyValue[][]): JaegerTrace =>
    jaeger({ resourceSpans: resources.flatMap((attributes, i) => traceOf([span(i + 1)], attributes).resourceSpans!) });

  test('two resources equal up to the order of attributes are one process, numbered in order of use', () => {
    const a = attribute('service.name', 'a');
    const { spans, processes } = of(
      [a, attribute('x', '1'), attribute('y', '2')],
      [attribute('service.name', 'b')],
      [attribute('y', '2'), a, attribute('x', '1')],
    );
    expect(spans.map(({ processID }) => processID)).toEqual(['p1', 'p2', 'p1']);
    expect(Object.values(processes).map(({ serviceName, tags }) => [serviceName, tags.length])).toEqual([
      ['a', 2],
      ['b', 0],
    ]);
  });

  test('processes are listed as Go lists a map: p1, p10, p2', () => {
    const text = JSON.stringify(
      of(...Array.from({ length: 11 }, (_, i) => [attribute('service.name', `s${i}`)])).processes,
    );
    expect([...text.matchAll(/"(p\d+)"/g)].map(([, id]) => id)).toEqual([
      'p1',
      'p10',
      'p11',
      'p2',
      'p3',
      'p4',
      'p5',
      'p6',
      'p7',
      'p8',
      'p9',
    ]);
  });

  test.each<[string, OtlpKeyValue[], string]>([
    ['no attributes', [], 'missing-service-name'],
    ['no service.name', [attribute('a', 'b')], 'missing-service-name'],
    ['an empty one', [attribute('service.name', '')], 'empty-service-name'],
    ['a number', [attribute('service.name', { intValue: 1n })], 'service-name-wrong-type'],
    ['no value', [attribute('service.name', {})], 'service-name-wrong-type'],
    ['the SDK’s default', [attribute('service.name', 'unknown_service:node')], 'unknown_service:node'],
  ])('%s', (_what, attributes, service) => {
    for (const isRaw of [false, true]) {
      const { processes } = jaeger(traceOf([span(1)], attributes), isRaw);
      expect(processes['p1']!.serviceName).toBe(service);
      expect(processes['p1']!.tags.some(({ key }) => key === 'service.name')).toBe(false);
    }
  });
});

describe('sanitizing', () => {
  test('a span without a name is called empty-span-name', () => {
    expect([one({ name: '' }).operationName, one({ name: '' }, true).operationName]).toEqual([
      'empty-span-name',
      'empty-span-name',
    ]);
  });

  test.each([-1n, -1_500_000_000n])('a duration of %s ns is 0 with a warning', (ns) => {
    const span_ = one({ endTimeUnixNano: RICH_START_NS + ns });
    expect([span_.duration, span_.warnings!.length]).toEqual([0, 1]);
  });

  test('a duration of nothing is 0 and needs no warning', () => {
    const span_ = one({ endTimeUnixNano: RICH_START_NS });
    expect([span_.duration, span_.warnings ?? []]).toEqual([0, []]);
  });

  test('the warning has both times as Go prints them', () => {
    expect(
      one({ startTimeUnixNano: 1_763_600_000_000_000_000n, endTimeUnixNano: 1_763_599_999_500_000_000n }).warnings,
    ).toEqual([
      'Negative duration detected, sanitizing end timestamp. Original end timestamp: 2025-11-20 00:53:19.5 +0000 UTC, ' +
        'adjusted to: 2025-11-20 00:53:20.000000001 +0000 UTC',
    ]);
  });

  /** Encodes with ASCII "BAD!" and puts bytes that are not UTF-8 in its place. */
  function withBadBytes(more: OtlpSpan): JaegerSpan {
    const otlp = Buffer.from(encodeTraces(traceOf([span(1, more)])));
    for (let at = otlp.indexOf('BAD!'); at !== -1; at = otlp.indexOf('BAD!')) otlp.write('ff00fe80', at, 'hex');
    return (JSON.parse(jaegerText(otlp)) as JaegerTrace).spans[0]!;
  }
  const bad = Buffer.from('ff00fe80', 'hex');

  test('a value that is not UTF-8 becomes binary', () => {
    expect(withBadBytes({ attributes: [attribute('k', 'BAD!')] }).tags).toEqual([
      { key: 'k', type: 'binary', value: bad.toString('base64') },
    ]);
  });

  test('a key that is not UTF-8 gets a name, and its bytes go before the value', () => {
    const value = Buffer.concat([bad, Buffer.from(':7')]).toString('base64');
    expect(withBadBytes({ attributes: [attribute('BAD!', { intValue: 7n })] }).tags).toEqual([
      { key: 'invalid-tag-key-1', type: 'binary', value },
    ]);
  });

  test('a span name that is not UTF-8 is kept in an attribute', () => {
    const { operationName, tags } = withBadBytes({ name: 'BAD!' });
    expect([operationName, tags]).toEqual([
      'invalid-span-name',
      [{ key: 'invalid-span-name', type: 'binary', value: bad.toString('base64') }],
    ]);
  });

  test('a text that contains U+FFFD itself is left alone', () => {
    expect(tagsOf(attribute('\ufffd', '\ufffd'))).toEqual([{ key: '\ufffd', type: 'string', value: '\ufffd' }]);
  });
});

test.each([
  [0n, '1970-01-01 00:00:00 +0000 UTC'],
  [1_763_600_000_100_000_000n, '2025-11-20 00:53:20.1 +0000 UTC'],
  [-1n, '1969-12-31 23:59:59.999999999 +0000 UTC'],
])('%s ns prints as %s', (ns, text) => {
  expect(formatGoTime(ns)).toBe(text);
});
