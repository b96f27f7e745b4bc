// Goldens: fixtures/jaeger/rich-trace*.json were printed by Jaeger v2.20 itself (its sanitizers, adjusters, translator and
// JSON model) from the trace in test/support/rich-trace.ts. Only its negative-duration warning was taken out of the raw one.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readTraceView } from '../../../src/api/jaeger/jaeger-model.ts';
import { jaegerText, jaeger, one, tagsOf, type JaegerTrace } from '../../support/jaeger-view.ts';
import { encodeTraces, type OtlpKeyValue } from '../../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../../support/random-request.ts';
import { attribute, RICH_START_NS, RICH_TRACE, span, traceOf } from '../../support/rich-trace.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/jaeger/${name}`, import.meta.url), 'utf8');
}

test('the rich trace is byte for byte what Jaeger v2.20 writes, adjusted and raw', () => {
  const otlp = encodeTraces(RICH_TRACE);
  expect(jaegerText(otlp)).toBe(fixture('rich-trace.json'));
  expect(jaegerText(otlp, true)).toBe(fixture('rich-trace-raw.json'));
});

test('the same bytes give the same text, and any random trace gives JSON with sound processes', () => {
  const random = createRandom(printedSeed('jaeger-json'));
  for (let i = 0; i < 200; i++) {
    const otlp = encodeTraces(randomRequest(random, RICH_START_NS));
    if (readTraceView(otlp) === undefined) continue;
    for (const isRaw of [false, true]) {
      const text = jaegerText(otlp, isRaw);
      expect(jaegerText(otlp, isRaw)).toBe(text);
      const { spans, processes } = JSON.parse(text) as JaegerTrace;
      expect(spans.length).toBeGreaterThan(0);
      for (const { processID } of spans) expect(Object.keys(processes)).toContain(processID);
    }
  }
});

test('a trace without spans is no trace', () => {
  expect(readTraceView(encodeTraces({}))).toBeUndefined();
  expect(readTraceView(encodeTraces(traceOf([])))).toBeUndefined();
});

describe('values', () => {
  test.each<[string, OtlpKeyValue['value'], string, unknown]>([
    ['a string', { stringValue: 'x' }, 'string', 'x'],
    ['an int', { intValue: 500n }, 'int64', 500],
    ['the largest safe int', { intValue: 2n ** 53n - 1n }, 'int64', Number.MAX_SAFE_INTEGER],
    ['an int beyond', { intValue: 2n ** 53n }, 'int64', '9007199254740992'],
    ['the smallest safe int', { intValue: -(2n ** 53n) + 1n }, 'int64', Number.MIN_SAFE_INTEGER],
    ['an int below', { intValue: -(2n ** 53n) }, 'int64', '-9007199254740992'],
    ['a double', { doubleValue: 0.1 }, 'float64', 0.1],
    ['NaN', { doubleValue: NaN }, 'float64', 'NaN'],
    ['infinity', { doubleValue: Infinity }, 'float64', '+Inf'],
    ['minus infinity', { doubleValue: -Infinity }, 'float64', '-Inf'],
    ['true', { boolValue: true }, 'bool', true],
    ['false', { boolValue: false }, 'bool', false],
    ['bytes', { bytesValue: Uint8Array.of(1, 2, 255) }, 'binary', 'AQL/'],
    ['no bytes', { bytesValue: new Uint8Array(0) }, 'binary', ''],
    ['no value', {}, 'string', ''],
    ['an empty list', { arrayValue: {} }, 'string', '[]'],
    [
      'a list',
      { arrayValue: { values: [{ stringValue: 'a"' }, { doubleValue: NaN }, {}] } },
      'string',
      '["a\\"","NaN",null]',
    ],
    [
      'a map',
      { kvlistValue: { values: [attribute('b', '2'), attribute('a', { boolValue: true })] } },
      'string',
      '{"a":true,"b":"2"}',
    ],
  ])('%s', (_what, value, type, expected) => {
    expect(tagsOf({ key: 'k', value: value! })).toEqual([{ key: 'k', type, value: expected }]);
  });

  test('equal keys are all kept, in their order', () => {
    expect(
      tagsOf(attribute('k', '2'), attribute('a', ''), attribute('k', '1')).map(({ key, value }) => [key, value]),
    ).toEqual([
      ['a', ''],
      ['k', '2'],
      ['k', '1'],
    ]);
  });

  test('times are whole microseconds, cut and not rounded', () => {
    const { startTime, duration, logs } = one({
      startTimeUnixNano: 1_763_600_000_000_001_999n,
      endTimeUnixNano: 1_763_600_000_000_002_998n,
      events: [{ timeUnixNano: 1_763_600_000_000_003_999n, name: 'e' }],
    });
    expect([startTime, duration, logs[0]!.timestamp]).toEqual([1_763_600_000_000_001, 0, 1_763_600_000_000_003]);
    expect(jaegerText(encodeTraces(traceOf([span(1)])))).toContain('"startTime":1763600000123456,"duration":5,');
  });

  test('lists are never null; warnings are when there are none', () => {
    expect(jaegerText(encodeTraces(traceOf([span(1)])))).toBe(
      '{"traceID":"a1b2c3d4e5f60718293a4b5c6d7e8f90","spans":[{"traceID":"a1b2c3d4e5f60718293a4b5c6d7e8f90",' +
        '"spanID":"0000000000000001","operationName":"op-1","references":[],"startTime":1763600000123456,"duration":5,' +
        '"tags":[],"logs":[],"processID":"p1","warnings":null}],"processes":{"p1":{"serviceName":"shop","tags":[]}},"warnings":null}',
    );
  });
});

describe('span tags', () => {
  test('scope, attributes, kind, status, description and trace state come in this order', () => {
    const data = traceOf([
      span(1, { kind: 2, traceState: 'a=1', status: { code: 2, message: 'm' }, attributes: [attribute('x', '1')] }),
    ]);
    data.resourceSpans![0]!.scopeSpans![0]!.scope = { name: 's', version: 'v' };
    expect(jaeger(data).spans[0]!.tags.map(({ key, value }) => `${key}=${String(value)}`)).toEqual([
      'otel.scope.name=s',
      'otel.scope.version=v',
      'x=1',
      'span.kind=server',
      'otel.status_code=ERROR',
      'error=true',
      'otel.status_description=m',
      'w3c.tracestate=a=1',
    ]);
  });

  test.each([
    [2, ['otel.status_code=ERROR', 'error=true']],
    [1, ['otel.status_code=OK']],
    [0, []],
  ])('status %s', (code, expected) => {
    const { tags } = one({ status: { code } });
    expect(tags.map(({ key, value }) => `${key}=${String(value)}`)).toEqual(expected);
    expect(
      tags.filter(({ key }) => key === 'error').every(({ type, value }) => type === 'bool' && value === true),
    ).toBe(true);
  });

  test.each([
    [0, undefined],
    [1, 'internal'],
    [2, 'server'],
    [3, 'client'],
    [4, 'producer'],
    [5, 'consumer'],
    [42, undefined],
  ])('kind %s', (kind, name) => {
    expect(one({ kind }).tags.find(({ key }) => key === 'span.kind')?.value).toBe(name);
  });

  test('attributes are sorted by the bytes of their keys, unless raw', () => {
    const attributes = ['b', '\u{1F40E}', '\uffe0', 'a', 'B'].map((key) => attribute(key, ''));
    expect(one({ attributes }).tags.map(({ key }) => key)).toEqual(['B', 'a', 'b', '\uffe0', '\u{1F40E}']);
    expect(one({ attributes }, true).tags.map(({ key }) => key)).toEqual(['b', '\u{1F40E}', '\uffe0', 'a', 'B']);
  });

  test('numeric ip attributes become dotted text, unless raw', () => {
    const attributes = [
      attribute('ip', { intValue: -1n }),
      attribute('peer.ipv4', { doubleValue: 2_130_706_433 }),
      attribute('ip.other', { intValue: 1n }),
    ];
    expect(one({ attributes }).tags.map(({ value }) => value)).toEqual(['255.255.255.255', 1, '127.0.0.1']);
    expect(one({ attributes }, true).tags.map(({ value }) => value)).toEqual([-1, 2_130_706_433, 1]);
  });
});

describe('logs', () => {
  const timed = (offsetNs: bigint, name: string, ...attributes: OtlpKeyValue[]) => ({
    timeUnixNano: RICH_START_NS + offsetNs,
    name,
    attributes,
  });

  test('the name is the field "event", unless an attribute has that key', () => {
    const { logs } = one({
      events: [
        timed(0n, 'n', attribute('b', '1'), attribute('a', '2')),
        timed(0n, 'n', attribute('event', 'e')),
        timed(0n, ''),
      ],
    });
    expect(logs.map(({ fields }) => fields.map(({ key, value }) => `${key}=${String(value)}`))).toEqual([
      ['event=n', 'a=2', 'b=1'],
      ['event=e'],
      [],
    ]);
  });

  test('events are shown in time order, equal times in their own order, raw ones as stored', () => {
    const events = [timed(9_000n, 'c'), timed(0n, 'b'), timed(0n, 'a')];
    const names = (isRaw: boolean): unknown[] => one({ events }, isRaw).logs.map(({ fields }) => fields[0]!.value);
    expect([names(false), names(true)]).toEqual([
      ['b', 'a', 'c'],
      ['c', 'b', 'a'],
    ]);
  });
});
