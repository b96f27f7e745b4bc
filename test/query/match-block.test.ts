// Which spans of a block meet a search: every level, every type, and all conditions on one span.
import { describe, expect, test } from 'vitest';
import { BLOCK_KINDS, attribute, batchOf, blockOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { SpanMatcher, type BlockMatch, type BlockTimes, type SpanConditions } from '../../src/query/match-block.ts';
import { compileTag } from '../../src/query/tag-condition.ts';
import { blockMatches } from './block-matches.ts';
import type { OtlpAnyValue, OtlpRequest } from '../support/otlp-proto.ts';

type BlockQuery = SpanConditions & BlockTimes;

const NOON = 43_200_000_000_000;
const ANY: BlockQuery = {
  service: undefined,
  operation: undefined,
  tags: [],
  startMin: -Infinity,
  startMax: Infinity,
  durationMin: -Infinity,
  durationMax: Infinity,
};

function matchBlock(block: Uint8Array, query: BlockQuery): BlockMatch[] {
  return blockMatches(new SpanMatcher(query), block, query);
}

/** Traces (numbered by their index in the block) with a matching span, in every kind of block. */
function matching(requests: readonly OtlpRequest[], query: Partial<BlockQuery>): number[] {
  const found = BLOCK_KINDS.map((profile) =>
    matchBlock(blockOf(batchOf(...requests), profile), { ...ANY, ...query }).map(({ trace }) => trace),
  );
  for (const one of found) expect(one).toEqual(found[0]);
  return found[0]!;
}

const tag = (key: string, value: string): Partial<BlockQuery> => ({ tags: [compileTag({ key, value })] });

describe('service and operation', () => {
  const requests = [
    requestOf([span(1, { name: 'GET /' })], 'shop'),
    requestOf([span(2, { trace: 2, name: 'GET /' })], 'cart'),
    requestOf([span(3, { trace: 3, name: '' })], ''),
  ];
  test.each<[Partial<BlockQuery>, number[]]>([
    [{}, [0, 1, 2]],
    [{ service: 'shop' }, [0]],
    [{ operation: 'GET /' }, [0, 1]],
    [{ service: 'cart', operation: 'GET /' }, [1]],
    [{ service: 'cart', operation: 'POST /' }, []],
    [{ service: 'sho' }, []],
    [{ service: 'empty-service-name', operation: 'empty-span-name' }, [2]],
    [{ service: '' }, []],
  ])('%j', (query, expected) => {
    expect(matching(requests, query)).toEqual(expected);
  });
});

describe('an attribute is found by its text at each of the five levels', () => {
  const attributes = [attribute('k', 'v')];
  const event = { timeUnixNano: NOON_NS, name: 'e' };
  const link = { traceId: new Uint8Array(16).fill(1) };
  const bare = span(9, { trace: 9, events: [event], links: [link] });
  const levels: readonly [string, OtlpRequest][] = [
    ['span', requestOf([span(1, { attributes })])],
    ['event', requestOf([span(1, { events: [event, { ...event, attributes }] })])],
    ['link', requestOf([span(1, { links: [link, { ...link, attributes }] })])],
    ['scope', { resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { attributes }, spans: [span(1)] }] }] }],
    ['resource', { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span(1)] }] }] }],
  ];
  test.each(levels)('%s', (level, request) => {
    const requests = [request, requestOf([bare])];
    expect(matching(requests, tag('k', 'v'))).toEqual([0]);
    expect(matching(requests, tag('k', 'w'))).toEqual([]);
    expect(matching(requests, tag('kk', 'v'))).toEqual([]);
    expect(matching(requests, tag('resource.k', 'v'))).toEqual(level === 'resource' ? [0] : []);
    expect(matching(requests, tag('scope_attr:k', 'v'))).toEqual(level === 'scope' ? [0] : []);
    expect(matching(requests, tag('span_attr:k', 'v'))).toEqual(level === 'span' ? [0] : []);
  });
});

describe('every type by its text, on a span and on its resource alike', () => {
  test.each<[string, OtlpAnyValue | undefined]>([
    ['', undefined],
    ['', {}],
    ['', { stringValue: '' }],
    ['x', { stringValue: 'x' }],
    ['true', { boolValue: true }],
    ['-9223372036854775808', { intValue: -(2n ** 63n) }],
    ['0.5', { doubleValue: 0.5 }],
    ['NaN', { doubleValue: NaN }],
    ['+Inf', { doubleValue: Infinity }],
    ['-Inf', { doubleValue: -Infinity }],
    ['-Infinity', { doubleValue: -Infinity }],
    ['AP8=', { bytesValue: Uint8Array.of(0, 255) }],
    ['["a"]', { arrayValue: { values: [{ stringValue: 'a' }] } }],
    ['{}', { kvlistValue: {} }],
  ])('%j', (text, value) => {
    const attributes = [attribute('k', value)];
    const onSpan = requestOf([span(1, { attributes })]);
    const onResource = {
      resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span(2, { trace: 2 })] }] }],
    };
    expect(matching([onSpan, onResource], tag('k', text))).toEqual([0, 1]);
    expect(matching([onSpan, onResource], tag('k', `${text}!`))).toEqual([]);
  });

  test('a value that differs between rows of one template is looked up row by row', () => {
    const spans = Array.from({ length: 50 }, (_, i) =>
      span(i + 1, {
        trace: i + 1,
        attributes: [attribute('n', { intValue: BigInt(i % 7) }), attribute('s', `v${i % 3}`)],
      }),
    );
    const expected = (fits: (i: number) => boolean): number[] => spans.flatMap((_, i) => (fits(i) ? [i] : []));
    expect(matching([requestOf(spans)], tag('n', '3'))).toEqual(expected((i) => i % 7 === 3));
    expect(
      matching([requestOf(spans)], {
        tags: ['n', 's'].map((key) => compileTag({ key, value: key === 'n' ? '3' : 'v1' })),
      }),
    ).toEqual(expected((i) => i % 7 === 3 && i % 3 === 1));
  });

  test('of a key twice on one span, either value', () => {
    const twice = requestOf([span(1, { attributes: [attribute('k', 'a'), attribute('k', 'b')] })]);
    expect([matching([twice], tag('k', 'a')), matching([twice], tag('k', 'b'))]).toEqual([[0], [0]]);
  });

  test('a key without text, which is not on the wire', () => {
    const attributes = [attribute('', 'v')];
    const onResource = {
      resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span(2, { trace: 2 })] }] }],
    };
    expect(matching([requestOf([span(1, { attributes })]), onResource], tag('', 'v'))).toEqual([0, 1]);
  });
});

describe('what is no attribute in OTLP', () => {
  const spans = [
    span(1, { trace: 1, kind: 2, status: { code: 2, message: 'broken' }, traceState: 'a=b' }),
    span(2, { trace: 2, kind: 3, status: { code: 1 }, events: [{ timeUnixNano: NOON_NS, name: 'retry' }] }),
    span(3, { trace: 3, attributes: [attribute('error', { boolValue: true }), attribute('span.kind', 'server')] }),
    span(4, { trace: 4, attributes: [attribute('error', 'true')], events: [{ timeUnixNano: NOON_NS, name: 'other' }] }),
  ];
  const scoped: OtlpRequest = {
    resourceSpans: [{ scopeSpans: [{ scope: { name: 'lib', version: '1.2' }, spans: [span(5, { trace: 5 })] }] }],
  };
  test.each<[string, string, number[]]>([
    ['error', 'true', [0, 2, 3]],
    ['error', 'false', [1, 4]],
    ['span.kind', 'server', [0, 2]],
    ['span.kind', 'Client', [1]],
    ['span.kind', 'unspecified', [2, 3, 4]],
    ['otel.status_code', 'ERROR', [0]],
    ['otel.status_code', 'unset', [2, 3, 4]],
    ['otel.status_description', 'broken', [0]],
    ['otel.status_description', 'brok', []],
    ['w3c.tracestate', 'a=b', [0]],
    ['event', 'retry', [1]],
    ['otel.scope.name', 'lib', [4]],
    ['scope.version', '1.2', [4]],
    ['scope.version', '1', []],
  ])('%s=%s', (key, value, expected) => {
    expect(matching([requestOf(spans), scoped], tag(key, value))).toEqual(expected);
  });
});

test('a pattern, and the denial of a tag: of those without the key too', () => {
  const spans = ['GET', 'POST', undefined].map((method, i) =>
    span(i + 1, { trace: i + 1, attributes: method === undefined ? [] : [attribute('m', method)] }),
  );
  const found = (more: { isPattern?: boolean; isNegated?: boolean }, value: string): number[] =>
    matching([requestOf(spans)], { tags: [compileTag({ key: 'm', value, ...more })] });
  expect(found({ isPattern: true }, '^G|^P')).toEqual([0, 1]);
  expect(found({ isPattern: true }, 'OST$')).toEqual([1]);
  expect(found({ isNegated: true }, 'GET')).toEqual([1, 2]);
  expect(found({ isPattern: true, isNegated: true }, 'T$')).toEqual([2]);
});

describe('all conditions hold on one span', () => {
  test('not on two of one trace', () => {
    const spans = [
      span(1, { attributes: [attribute('a', '1')] }),
      span(2, { name: 'other', attributes: [attribute('b', '2')] }),
    ];
    const both = { tags: [compileTag({ key: 'a', value: '1' }), compileTag({ key: 'b', value: '2' })] };
    expect(matching([requestOf(spans)], both)).toEqual([]);
    expect(matching([requestOf(spans)], { ...tag('a', '1'), operation: 'other' })).toEqual([]);
    expect(matching([requestOf([span(1, { attributes: [attribute('a', '1'), attribute('b', '2')] })])], both)).toEqual([
      0,
    ]);
  });

  test('times are inclusive, of start and of duration', () => {
    const requests = [requestOf([span(1, { startTimeUnixNano: NOON_NS + 5n, endTimeUnixNano: NOON_NS + 12n })])];
    const finds = (query: Partial<BlockQuery>): boolean => matching(requests, query).length > 0;
    expect([NOON + 4, NOON + 5, NOON + 6].map((startMin) => finds({ startMin }))).toEqual([true, true, false]);
    expect([NOON + 4, NOON + 5, NOON + 6].map((startMax) => finds({ startMax }))).toEqual([false, true, true]);
    expect([6, 7, 8].map((durationMin) => finds({ durationMin }))).toEqual([true, true, false]);
    expect([6, 7, 8].map((durationMax) => finds({ durationMax }))).toEqual([false, true, true]);
  });

  test('a span without an end is not a long one', () => {
    const spans = [span(1, { endTimeUnixNano: 0n }), span(2, { trace: 2, endTimeUnixNano: NOON_NS + 5n })];
    expect(matching([requestOf(spans)], { durationMin: 5 })).toEqual([1]);
  });
});

test('of a trace the latest start of a matching span is told, not of any span', () => {
  const at = (ns: number): { startTimeUnixNano: bigint } => ({ startTimeUnixNano: NOON_NS + BigInt(ns) });
  const block = blockOf(
    batchOf(
      requestOf([span(1, { ...at(1), name: 'a' }), span(2, { ...at(2), name: 'a' }), span(3, { ...at(3), name: 'b' })]),
    ),
  );
  expect(matchBlock(block, { ...ANY, operation: 'a' })).toEqual([{ trace: 0, start: NOON + 2 }]);
});
