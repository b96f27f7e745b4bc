// Which spans of a block meet a filter: what each operator, each level and each built-in field means. Random filters over
// random spans are compared with plain loops in test/system/search-oracle.test.ts.
import { blockMatches } from './block-matches.ts';
import { describe, expect, test } from 'vitest';
import { BLOCK_KINDS, attribute, batchOf, blockOf, idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { parseFilterJson } from '../../src/api/jaeger/parse-filter.ts';
import { StoreError } from '../../src/base/errors.ts';
import { SpanMatcher } from '../../src/query/match-block.ts';
import type { OtlpAnyValue, OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { attr, call, field, inner, list, nested, scalar, type WireJson } from '../support/wire-filter.ts';

const TIMES = { startMin: -Infinity, startMax: Infinity, durationMin: -Infinity, durationMax: Infinity };

function matcherOf(filter: WireJson): SpanMatcher {
  return new SpanMatcher({
    service: undefined,
    operation: undefined,
    tags: [],
    filter: parseFilterJson(JSON.stringify(filter)),
  });
}

/** Traces (numbered by their index in the block) with a span that meets the filter, in every kind of block. */
function matching(requests: readonly OtlpRequest[], filter: WireJson): number[] {
  const found = BLOCK_KINDS.map((profile) => {
    const block = blockOf(batchOf(...requests), profile);
    return blockMatches(matcherOf(filter), block, TIMES).map(({ trace }) => trace);
  });
  for (const one of found) expect(one).toEqual(found[0]);
  return found[0]!;
}

const meets = (one: OtlpSpan, filter: WireJson): boolean => matching([requestOf([one])], filter).length > 0;
const instant = (addNs: number): string => `2026-11-20T12:00:00.${String(addNs).padStart(9, '0')}Z`;

describe('a value and a constant', () => {
  const int: OtlpAnyValue = { intValue: 500n };
  const double: OtlpAnyValue = { doubleValue: 72.5 };
  const big: OtlpAnyValue = { intValue: 2n ** 53n + 1n };
  const bytes: OtlpAnyValue = { bytesValue: Uint8Array.of(1) };
  test.each<[string, OtlpAnyValue | undefined, WireJson, boolean]>([
    ['eq', { stringValue: 'x' }, scalar('x'), true],
    ['eq', { stringValue: 'x' }, scalar('x', 'string'), true],
    ['eq', { stringValue: '500' }, scalar('500', 'int'), false],
    ['eq', int, scalar('500'), true],
    ['eq', int, scalar('+500'), true],
    ['eq', int, scalar('500.0'), true],
    ['eq', int, scalar('500', 'int'), true],
    ['eq', int, scalar('500', 'double'), false],
    ['eq', int, scalar('500', 'string'), false],
    ['ne', int, scalar('500', 'string'), true],
    ['eq', { doubleValue: 500 }, scalar('500'), true],
    ['eq', { doubleValue: 500 }, scalar('500', 'int'), false],
    ['eq', { doubleValue: -0 }, scalar('0'), true],
    ['eq', double, scalar('7.25e1'), true],
    ['gt', double, scalar('72'), true],
    ['gt', int, scalar('72.5'), true],
    ['gt', { stringValue: '9' }, scalar('500'), true],
    ['gt', { intValue: 9n }, scalar('500'), false],
    ['lte', { intValue: -9n }, scalar('-9'), true],
    ['lt', { intValue: -(2n ** 63n) }, scalar('-9223372036854775807'), true],
    ['gt', big, scalar('9007199254740992'), true],
    ['gte', big, scalar('9007199254740992.0'), true],
    ['eq', big, scalar('9007199254740992.0'), false],
    ['eq', { doubleValue: NaN }, scalar('nan'), false],
    ['ne', { doubleValue: NaN }, scalar('nan'), true],
    ['lt', { doubleValue: -Infinity }, scalar('-1e308'), true],
    ['eq', { boolValue: true }, scalar('true'), true],
    ['eq', { boolValue: true }, scalar('1'), true],
    ['eq', { boolValue: true }, scalar('true', 'string'), false],
    ['gte', { boolValue: true }, scalar('true'), false],
    ['eq', { boolValue: false }, scalar('no'), false],
    ['ne', { boolValue: false }, scalar('no'), true],
    ['eq', bytes, scalar('AQ=='), false],
    ['ne', bytes, scalar('AQ=='), true],
    ['ne', {}, scalar(''), true],
    ['eq', undefined, scalar(''), false],
    ['ne', undefined, scalar(''), true],
    ['in', int, list(['1', '500'], 'int'), true],
    ['in', int, list(['500'], 'string'), false],
    ['not_in', int, list(['500'], 'string'), true],
    ['not_in', int, list(['500'], 'int'), false],
    ['in', { stringValue: 'b' }, list(['a', 'b'], 'string'), true],
    ['in', double, list(['72.5'], 'double'), true],
    ['in', { boolValue: false }, list(['true', 'false'], 'bool'), true],
    ['regex', { stringValue: 'GET /cart' }, scalar('c.rt$'), true],
    ['regex', { stringValue: 'GET /cart' }, scalar('^c.rt'), false],
    ['regex', int, scalar('5'), false],
  ])('%s %o %j: %s', (op, value, constant, expected) => {
    const attributes = [attribute('k', value)];
    const one = span(1, { attributes });
    const onResource = { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span(1)] }] }] };
    expect(meets(one, call(op, attr('k', 'span'), constant))).toBe(expected);
    expect(matching([onResource], call(op, attr('k', 'resource'), constant)).length > 0).toBe(expected);
    // What varies from span to span lies in a column, not in the template.
    const others = Array.from({ length: 9 }, (_, i) =>
      span(i + 2, { trace: i + 2, attributes: [attribute('k', { stringValue: `other ${i}` }), attribute('n', value)] }),
    );
    const last = span(50, { trace: 50, attributes });
    const found = matching([requestOf([...others, last])], call(op, attr('k'), constant));
    expect(found.includes(9)).toBe(expected);
  });

  test('a key that is not there meets no comparison, and only `not` turns that round', () => {
    const one = span(1, { attributes: [attribute('other', 'x')] });
    for (const op of ['eq', 'ne', 'gt', 'lt', 'gte', 'lte', 'regex']) {
      expect([op, meets(one, call(op, attr('k'), scalar('x')))]).toEqual([op, false]);
      expect([op, meets(one, call('not', inner(op, attr('k'), scalar('x'))))]).toEqual([op, true]);
    }
    expect(meets(one, call('not_in', attr('k'), list(['x'], 'string')))).toBe(false);
    expect(meets(one, call('exists', attr('k')))).toBe(false);
  });

  test('of several values one must fit, for a negation none may', () => {
    const request = {
      resourceSpans: [
        {
          resource: { attributes: [attribute('k', 'a')] },
          scopeSpans: [{ spans: [span(1, { attributes: [attribute('k', 'b'), attribute('k', 'c')] })] }],
        },
      ],
    };
    const found = (filter: WireJson): boolean => matching([request], filter).length > 0;
    expect(['a', 'b', 'c', 'd'].map((text) => found(call('eq', attr('k'), scalar(text))))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(['a', 'b', 'c', 'd'].map((text) => found(call('ne', attr('k'), scalar(text))))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(found(call('ne', attr('k', 'resource'), scalar('b')))).toBe(true);
  });

  test('two constants say the same of every span', () => {
    const filters: readonly [WireJson, boolean][] = [
      [call('eq', scalar('1'), scalar('1')), true],
      [call('eq', scalar('1'), scalar('1.0')), false],
      [call('eq', scalar('1', 'int'), scalar('1.0')), true],
      [call('ne', scalar('1', 'int'), scalar('1', 'double')), true],
      [call('lt', scalar('2'), scalar('10', 'int')), true],
      [call('gt', scalar('2'), scalar('10')), true],
    ];
    for (const [filter, expected] of filters) expect([filter, meets(span(1), filter)]).toEqual([filter, expected]);
  });
});

describe('levels', () => {
  const attributes = [attribute('k', 'v')];
  const bare = { name: 'e', timeUnixNano: NOON_NS };
  const of: Readonly<Record<string, OtlpRequest>> = {
    span: requestOf([span(1, { attributes })]),
    resource: { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span(1)] }] }] },
    scope: { resourceSpans: [{ scopeSpans: [{ scope: { attributes }, spans: [span(1)] }] }] },
    event: requestOf([span(1, { events: [bare, { ...bare, attributes }] })]),
    link: requestOf([span(1, { links: [{}, { attributes }] })]),
  };
  test.each(Object.keys(of))('%s', (level) => {
    for (const asked of Object.keys(of)) {
      expect(matching([of[level]!], call('eq', attr('k', asked), scalar('v')))).toEqual(asked === level ? [0] : []);
    }
    // Without level: the span or its resource.
    const isFound = level === 'span' || level === 'resource';
    expect(matching([of[level]!], call('exists', attr('k')))).toEqual(isFound ? [0] : []);
  });
});

describe('built-in fields', () => {
  const full = span(0xab, {
    traceState: 'a=b',
    parentSpanId: idOf(7, 8),
    name: 'GET /',
    kind: 2,
    endTimeUnixNano: NOON_NS + 1_500_000n,
    status: { code: 2, message: 'broken' },
    events: [
      { name: 'first', timeUnixNano: NOON_NS + 10n },
      { name: '', timeUnixNano: NOON_NS + 20n },
    ],
    links: [{ traceId: idOf(5, 16), spanId: idOf(6, 8), traceState: 'c=d' }],
  });
  const request: OtlpRequest = {
    resourceSpans: [
      {
        schemaUrl: 'r/1',
        resource: { attributes: [attribute('service.name', 'shop')] },
        scopeSpans: [{ schemaUrl: 's/1', scope: { name: 'lib', version: '1.2' }, spans: [full] }],
      },
    ],
  };
  const empty: OtlpRequest = {
    resourceSpans: [{ scopeSpans: [{ spans: [span(2, { trace: 2, name: '', links: [{}], events: [{}] })] }] }],
  };
  test.each<[string, string, string, string]>([
    ['span', 'traceID', '00000000000000000000000000000001', '00000000000000000000000000000002'],
    ['span', 'spanID', '00000000000000ab', '0000000000000002'],
    ['span', 'parentSpanID', '0000000000000007', ''],
    ['span', 'traceState', 'a=b', ''],
    ['span', 'name', 'GET /', 'empty-span-name'],
    ['span', 'kind', 'server', 'unspecified'],
    ['span', 'status', 'error', 'unset'],
    ['span', 'statusMessage', 'broken', ''],
    ['resource', 'service', 'shop', 'missing-service-name'],
    ['resource', 'schemaURL', 'r/1', ''],
    ['scope', 'name', 'lib', ''],
    ['scope', 'version', '1.2', ''],
    ['scope', 'schemaURL', 's/1', ''],
    ['event', 'name', 'first', ''],
    ['link', 'traceID', '00000000000000000000000000000005', ''],
    ['link', 'spanID', '0000000000000006', ''],
    ['link', 'traceState', 'c=d', ''],
  ])('%s.%s', (level, name, value, ofEmpty) => {
    const of = field(level, name);
    const isWord = name === 'kind' || name === 'status';
    expect(matching([request, empty], call('eq', of, scalar(value)))).toEqual([0]);
    expect(matching([request, empty], call('in', of, list(isWord ? [value] : ['?', value])))).toEqual([0]);
    expect(matching([request, empty], call('regex', of, scalar(`^${value}$`)))).toEqual([0]);
    if (!isWord) expect(matching([request, empty], call('ne', of, scalar('?')))).toContain(0);
    // Fields without presence are absent when empty; names and links' ids are not.
    const isThere = ofEmpty !== '' || level === 'event' || name === 'traceID' || name === 'spanID';
    expect(matching([request, empty], call('exists', of))).toEqual(isThere ? [0, 1] : [0]);
    if (!isThere) return;
    expect(matching([request, empty], call('eq', of, scalar(ofEmpty)))).toContain(1);
  });

  test.each<[string, string, (addNs: number) => string, number]>([
    ['span', 'startTime', instant, 0],
    ['span', 'endTime', instant, 1_500_000],
    ['span', 'duration', (ns) => `${ns}ns`, 1_500_000],
    ['event', 'time', instant, 10],
    ['event', 'timeSinceStart', (ns) => `${ns}ns`, 10],
  ])('%s.%s, to the nanosecond', (level, name, write, ns) => {
    const late = { ...full, events: full.events!.slice(0, 1) };
    const holds = (op: string, add: number): boolean =>
      meets(late, call(op, field(level, name), scalar(write(ns + add))));
    for (const add of ns === 0 ? [0, 1] : [-1, 0, 1]) {
      expect([add, holds('eq', add), holds('ne', add)]).toEqual([add, add === 0, add !== 0]);
      expect([add, holds('gt', add), holds('lte', add)]).toEqual([add, add < 0, add >= 0]);
      expect([add, holds('lt', add), holds('gte', add)]).toEqual([add, add > 0, add <= 0]);
    }
    expect(meets(late, call('in', field(level, name), list([write(ns + 1), write(ns)])))).toBe(true);
  });

  test('a span without an end lasts from now back to 1970, and its events are where they are', () => {
    const one = span(1, { endTimeUnixNano: 0n, events: [{ name: 'e', timeUnixNano: 0n }] });
    expect(meets(one, call('lt', field('span', 'duration'), scalar('-400000h')))).toBe(true);
    expect(meets(one, call('eq', field('span', 'endTime'), scalar('1970-01-01T00:00:00Z')))).toBe(true);
    expect(meets(one, call('eq', field('event', 'time'), scalar('1970-01-01T00:00:00Z')))).toBe(true);
    expect(meets(one, call('lt', field('event', 'timeSinceStart'), scalar('0s')))).toBe(true);
    const endless = span(1, { endTimeUnixNano: 2n ** 64n - 1n });
    expect(meets(endless, call('gt', field('span', 'endTime'), scalar('2200-01-01T00:00:00Z')))).toBe(true);
    expect(meets(endless, call('gt', field('span', 'duration'), scalar('2000000h')))).toBe(true);
  });

  test('a kind that OTLP does not know yet is unspecified', () => {
    expect(meets(span(1, { kind: 42 }), call('eq', field('span', 'kind'), scalar('unspecified')))).toBe(true);
  });

  test('ids of links of unusual length', () => {
    const one = span(1, { links: [{ traceId: Uint8Array.of(1, 255), spanId: Uint8Array.of(9) }] });
    expect(meets(one, call('eq', field('link', 'traceID'), scalar('01ff')))).toBe(true);
    expect(meets(one, call('eq', field('link', 'spanID'), scalar('09')))).toBe(true);
  });

  test('attributes that are fields, at the level of the span and without', () => {
    const own = span(3, { attributes: [attribute('span.kind', 'mine'), attribute('error', { boolValue: true })] });
    expect(matching([request, requestOf([own])], call('eq', attr('span.kind'), scalar('server')))).toEqual([0]);
    expect(matching([request], call('eq', attr('span.status', 'span'), scalar('error')))).toEqual([0]);
    expect(matching([request], call('eq', attr('scope.name'), scalar('lib')))).toEqual([0]);
    expect(matching([request], call('eq', attr('scope.version'), scalar('1.2')))).toEqual([0]);
    expect([
      meets(full, call('eq', attr('error'), scalar('true'))),
      meets(own, call('eq', attr('error'), scalar('true'))),
    ]).toEqual([true, true]);
    expect(meets(span(1), call('eq', attr('error', 'span'), scalar('false', 'bool')))).toBe(true);
    expect(meets(own, call('exists', attr('error', 'resource')))).toBe(false);
  });
});

describe('events and links', () => {
  const one = span(1, {
    events: [
      { name: 'exception', timeUnixNano: NOON_NS + 50n, attributes: [attribute('type', 'timeout')] },
      { name: 'retry', timeUnixNano: NOON_NS + 10n, attributes: [attribute('n', { intValue: 3n })] },
    ],
    links: [{ traceId: idOf(1, 16), attributes: [attribute('n', { intValue: 3n })] }, { traceId: idOf(2, 16) }],
    attributes: [attribute('n', { intValue: 4n })],
  });
  const isRetry = inner('eq', field('event', 'name'), scalar('retry'));
  const isTimeout = inner('eq', attr('type', 'event'), scalar('timeout'));

  test('outside `some` each condition may be met by another event, inside it by one', () => {
    expect(meets(one, call('and', isRetry, isTimeout))).toBe(true);
    expect(meets(one, call('some', nested('event'), inner('and', isRetry, isTimeout)))).toBe(false);
    const late = inner('gt', field('event', 'timeSinceStart'), scalar('40ns'));
    expect(meets(one, call('some', nested('event'), inner('and', isTimeout, late)))).toBe(true);
    expect(meets(one, call('some', nested('event'), inner('and', isRetry, late)))).toBe(false);
  });

  test('every event is one that no event fails; a span without events has none that does', () => {
    const every = (condition: WireJson): WireJson =>
      call('not', inner('some', nested('event'), inner('not', condition)));
    expect(meets(one, every(inner('exists', field('event', 'name'))))).toBe(true);
    expect(meets(one, every(isRetry))).toBe(false);
    expect(meets(span(1), every(isRetry))).toBe(true);
    expect(meets(span(1), call('some', nested('event'), inner('not', isRetry)))).toBe(false);
  });

  test('inside `some` the span is still there, and the other collection is any or bound too', () => {
    const same = (level: string): WireJson => inner('eq', attr('n', 'event'), attr('n', level));
    expect(meets(one, call('some', nested('event'), same('span')))).toBe(false);
    expect(meets(one, call('some', nested('event'), inner('lt', attr('n', 'event'), attr('n', 'span'))))).toBe(true);
    expect(meets(one, call('some', nested('event'), same('link')))).toBe(true);
    const linkOfOwnTrace = inner('eq', field('link', 'traceID'), field('span', 'traceID'));
    const linkOfOther = inner('ne', field('link', 'traceID'), field('span', 'traceID'));
    const both = (isOwn: WireJson): WireJson =>
      call('some', nested('event'), inner('some', nested('link'), inner('and', same('link'), isOwn)));
    expect([meets(one, both(linkOfOwnTrace)), meets(one, both(linkOfOther))]).toEqual([true, false]);
  });

  test('a span with more pairs of events and links than are looked at together', () => {
    const many = span(1, {
      events: Array.from({ length: 600 }, (_, i) => ({ name: `e${i}`, timeUnixNano: NOON_NS })),
      links: Array.from({ length: 600 }, (_, i) => ({ attributes: [attribute('e', `e${i}`)] })),
    });
    const pair = (event: string, link: string): WireJson =>
      call(
        'some',
        nested('event'),
        inner(
          'some',
          nested('link'),
          inner(
            'and',
            inner('eq', field('event', 'name'), scalar(event)),
            inner('eq', attr('e', 'link'), scalar(link)),
          ),
        ),
      );
    expect(meets(many, pair('e599', 'e0'))).toBe(true);
    expect(meets(many, pair('e0', 'e599'))).toBe(true);
    expect(meets(many, pair('e599', 'e600'))).toBe(false);
    const equal = call(
      'some',
      nested('event'),
      inner('some', nested('link'), inner('eq', field('event', 'name'), attr('e', 'link'))),
    );
    expect(meets(many, equal)).toBe(true);
  });

  test('long work asks whether it may go on', () => {
    const block = blockOf(batchOf(requestOf([one])));
    const stop = (): never => {
      throw new StoreError('CANCELLED', 'nobody waits');
    };
    const asking = (filter: WireJson): (() => unknown) => {
      const of = {
        service: undefined,
        operation: undefined,
        tags: [],
        filter: parseFilterJson(JSON.stringify(filter)),
      };
      return () => blockMatches(new SpanMatcher({ ...of, check: stop }), block, TIMES);
    };
    expect(asking(call('some', nested('event'), isRetry))).toThrow('nobody waits');
    expect(asking(call('lt', field('span', 'startTime'), field('span', 'endTime')))).toThrow('nobody waits');
    expect(asking(call('exists', attr('k')))).toThrow('nobody waits');
  });
});

describe('two references', () => {
  const one = span(1, {
    attributes: [
      attribute('a', { intValue: 2n ** 53n + 1n }),
      attribute('b', { doubleValue: 2 ** 53 }),
      attribute('s', 'GET /'),
    ],
    name: 'GET /',
  });
  test.each<[string, WireJson, WireJson, boolean]>([
    ['gt', attr('a'), attr('b'), true],
    ['eq', attr('a'), attr('b'), false],
    ['ne', attr('a'), attr('b'), true],
    ['eq', attr('s'), field('span', 'name'), true],
    ['ne', attr('s'), field('span', 'name'), false],
    ['eq', attr('s'), attr('a'), false],
    ['ne', attr('s'), attr('a'), true],
    ['ne', attr('s'), attr('nobody'), false],
    ['lt', field('span', 'startTime'), field('span', 'endTime'), true],
    ['gte', field('span', 'startTime'), field('span', 'endTime'), false],
    ['gt', field('span', 'name'), field('resource', 'service'), false],
    ['ne', field('span', 'traceState'), field('span', 'name'), false],
  ])('%s %j %j: %s', (op, left, right, expected) => {
    expect(meets(one, call(op, left, right))).toBe(expected);
  });
});

test('and, or, not over many spans: each row by its own values', () => {
  const spans = Array.from({ length: 200 }, (_, i) =>
    span(i + 1, {
      trace: i + 1,
      attributes: [attribute('n', { intValue: BigInt(i % 7) }), ...(i % 2 === 0 ? [attribute('s', `v${i % 5}`)] : [])],
    }),
  );
  const expected = (fits: (i: number) => boolean): number[] => spans.flatMap((_, i) => (fits(i) ? [i] : []));
  const n3 = inner('eq', attr('n'), scalar('3'));
  const s1 = inner('eq', attr('s'), scalar('v1'));
  const request = [requestOf(spans)];
  expect(matching(request, call('and', n3, s1))).toEqual(expected((i) => i % 7 === 3 && i % 10 === 6));
  expect(matching(request, call('or', n3, s1))).toEqual(expected((i) => i % 7 === 3 || i % 10 === 6));
  expect(matching(request, call('not', s1))).toEqual(expected((i) => i % 10 !== 6));
  expect(matching(request, call('ne', attr('s'), scalar('v1')))).toEqual(expected((i) => i % 2 === 0 && i % 10 !== 6));
  expect(
    matching(request, call('and', inner('not', n3), inner('not', s1), inner('gte', attr('n'), scalar('2')))),
  ).toEqual(expected((i) => i % 7 !== 3 && i % 10 !== 6 && i % 7 >= 2));
});
