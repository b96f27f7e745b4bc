// Filters as Jaeger's clients send them: what is understood, and in which words the rest is refused.
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { expressionNamespace } from '../../../src/api/jaeger/expression-messages.ts';
import { checkFilterStandsAlone, parseFilter, parseFilterJson } from '../../../src/api/jaeger/parse-filter.ts';
import { limits } from '../../../src/base/limits.ts';
import type { TraceQuery } from '../../../src/trace/trace-query.ts';
import { attr, call, field, inner, list, nested, scalar, type WireJson } from '../../support/wire-filter.ts';

const yes = inner('exists', attr('a'));

const parsed = (message: WireJson) => parseFilterJson(JSON.stringify(message));
const attribute = (key: string, level = ''): WireJson => ({ kind: 'attribute', key, level });
const any = (text: string, number?: bigint | number, bool?: boolean): WireJson => ({ kind: 'any', text, number, bool });

describe('what is understood', () => {
  test.each<[string, WireJson, WireJson]>([
    [
      'an attribute and a text',
      call('eq', attr('k', 'span'), scalar('x')),
      { op: 'eq', left: attribute('k', 'span'), right: any('x') },
    ],
    [
      'a number that declares nothing',
      call('gt', attr('k'), scalar('1')),
      { op: 'gt', left: attribute('k'), right: any('1', 1n, true) },
    ],
    [
      'a decimal that declares nothing',
      call('gt', attr('k'), scalar('1.50')),
      { op: 'gt', left: attribute('k'), right: any('1.50', 1.5) },
    ],
    [
      'a constant on the left is turned round',
      call('gt', scalar('1', 'int'), attr('k')),
      { op: 'lt', left: attribute('k'), right: { kind: 'int', value: 1n } },
    ],
    [
      'two references',
      call('ne', attr('a', 'span'), attr('a', 'resource')),
      { op: 'ne', left: attribute('a', 'span'), right: attribute('a', 'resource') },
    ],
    [
      'a duration with its unit',
      call('gte', field('span', 'duration'), scalar('2.5s')),
      { op: 'gte', left: { kind: 'field', name: 'span.duration' }, right: { kind: 'ns', value: 2_500_000_000n } },
    ],
    [
      'an instant',
      call('lt', field('event', 'time'), scalar('1970-01-01T00:00:01.000000005Z')),
      { op: 'lt', left: { kind: 'field', name: 'event.time' }, right: { kind: 'ns', value: 1_000_000_005n } },
    ],
    [
      'a word',
      call('eq', field('span', 'kind'), scalar('server', 'string')),
      { op: 'eq', left: { kind: 'field', name: 'span.kind' }, right: { kind: 'string', text: 'server' } },
    ],
    [
      'a list of durations',
      call('in', field('span', 'duration'), list(['1s', '2s'])),
      {
        op: 'in',
        reference: { kind: 'field', name: 'span.duration' },
        values: [
          { kind: 'ns', value: 1_000_000_000n },
          { kind: 'ns', value: 2_000_000_000n },
        ],
      },
    ],
    [
      'a list of doubles',
      call('not_in', attr('k'), list(['1', '-inf'], 'double')),
      {
        op: 'not_in',
        reference: attribute('k'),
        values: [
          { kind: 'double', value: 1 },
          { kind: 'double', value: -Infinity },
        ],
      },
    ],
    [
      'a list of booleans',
      call('in', attr('k'), list(['T', '0'], 'bool')),
      {
        op: 'in',
        reference: attribute('k'),
        values: [
          { kind: 'bool', value: true },
          { kind: 'bool', value: false },
        ],
      },
    ],
    [
      'a pattern',
      call('regex', field('span', 'name'), scalar('^GET|POST')),
      { op: 'regex', reference: { kind: 'field', name: 'span.name' }, pattern: '^GET|POST' },
    ],
    [
      'and, or, not',
      call('and', inner('or', yes, yes), inner('not', yes)),
      {
        op: 'and',
        filters: [
          {
            op: 'or',
            filters: [
              { op: 'exists', reference: attribute('a') },
              { op: 'exists', reference: attribute('a') },
            ],
          },
          { op: 'not', filter: { op: 'exists', reference: attribute('a') } },
        ],
      },
    ],
    [
      'some of the events, and of the links inside',
      call('some', nested('event'), inner('some', nested('link'), inner('exists', attr('k', 'link')))),
      {
        op: 'some',
        level: 'event',
        filter: { op: 'some', level: 'link', filter: { op: 'exists', reference: attribute('k', 'link') } },
      },
    ],
    [
      'defaults written out, as generic JSON clients do',
      call('eq', { attr: { key: 'k', level: '' }, field: null }, scalar('x', '')),
      { op: 'eq', left: attribute('k'), right: any('x') },
    ],
  ])('%s', (_, message, expected) => {
    expect(parsed(message)).toEqual(expected);
  });

  test('the same of protobuf bytes', () => {
    const type = protobuf.Root.fromJSON({ nested: expressionNamespace }).lookupType('jaeger.expression.v1.Call');
    const messages = [
      call(
        'and',
        inner('in', attr('k', 'link'), list(['1', '2'], 'int')),
        inner('not', inner('eq', field('span', 'status'), scalar('error'))),
      ),
      call('some', nested('event'), inner('regex', field('event', 'name'), scalar('ex.*', 'string'))),
    ];
    for (const message of messages) {
      const bytes = type.encode(type.fromObject(message)).finish();
      expect(parseFilter(type.decode(bytes))).toEqual(parsed(message));
    }
  });
});

describe('what is refused', () => {
  const deep = (levels: number): WireJson =>
    levels === 1 ? call('exists', attr('a')) : call('not', { call: deep(levels - 1) });
  test.each<[WireJson, string]>([
    [call('eq'), 'operator "eq" takes 2 argument(s), got 0'],
    [call('like', attr('a'), scalar('x')), 'unknown filter operator "like"'],
    [call('and', yes), 'operator "and" takes at least two arguments, got 1'],
    [call('or', yes, attr('a')), 'operator "or" takes predicates as arguments, got an attribute reference'],
    [call('not', scalar('x')), 'operator "not" takes predicates as arguments, got an untyped constant'],
    [call('exists', scalar('x')), 'operator "exists" takes a reference, got an untyped constant'],
    [call('exists', nested('event')), 'a collection reference is only the first argument of "some"'],
    [call('exists', attr('')), 'attribute reference has no key'],
    [call('exists', attr('k', 'trace')), 'unknown filter level "trace"'],
    [call('exists', field('', 'name')), 'field reference has no level, and a built-in field belongs to one'],
    [call('exists', field('span', '')), 'field reference has no name'],
    [
      call('exists', field('span', 'constructor')),
      'unknown built-in field "constructor" at the "span" level; name an attribute to match a tag of that name instead',
    ],
    [call('eq', attr('a'), yes), 'operator "eq" compares a reference or a constant, got a predicate'],
    [call('eq', attr('a'), list(['1'], 'int')), 'operator "eq" compares a reference or a constant, got a list'],
    [
      call('eq', field('span', 'duration'), field('span', 'name')),
      'operator "eq" compares span.duration against span.name, which hold different kinds of value',
    ],
    [
      call('gt', field('span', 'duration'), scalar('5', 'int')),
      'operator "gt" compares span.duration against an integer constant, which hold different kinds of value',
    ],
    [
      call('gt', field('span', 'duration'), scalar('banana')),
      'cannot compare span.duration against "banana": time: invalid duration "banana"',
    ],
    [
      call('eq', field('span', 'startTime'), scalar('yesterday')),
      'cannot compare span.startTime against "yesterday": parsing time "yesterday" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "yesterday" as "2006"',
    ],
    [
      call('eq', field('span', 'kind'), scalar('SERVER')),
      'cannot compare span.kind against "SERVER": not one of unspecified, internal, server, client, producer, consumer',
    ],
    [call('gt', field('span', 'status'), scalar('ok')), 'operator "gt" has no ordering for span.status'],
    [call('lte', attr('a'), scalar('true', 'bool')), 'operator "lte" has no ordering for a boolean constant'],
    [call('in', attr('a'), scalar('x')), 'operator "in" takes a list as its second argument, got an untyped constant'],
    [call('in', attr('a'), list([], 'int')), 'operator "in" takes a list with at least one element'],
    [
      call('in', attr('a'), list(['x'])),
      'operator "in" takes a list that declares its element type when it is compared against an attribute',
    ],
    [call('in', attr('a'), list(['x'], 'date')), 'unknown filter value type "date"'],
    [call('in', attr('a'), list(['x'], 'int')), 'element "x" of a list of int: it is none'],
    [
      call('in', field('span', 'duration'), list(['1'], 'int')),
      'cannot compare span.duration against a list of int: the field holds duration',
    ],
    [
      call('in', field('span', 'status'), list(['bad'])),
      'cannot compare span.status against "bad": not one of unset, ok, error',
    ],
    [
      call('regex', field('span', 'duration'), scalar('1')),
      'operator "regex" matches text, and span.duration holds a duration',
    ],
    [
      call('regex', attr('a'), scalar('1', 'int')),
      'operator "regex" takes a constant string as its pattern, got an integer constant',
    ],
    [
      call('regex', attr('a'), scalar('(')),
      'operator "regex" takes a pattern in RE2 syntax: error parsing regexp: missing closing ): `(`',
    ],
    [
      call('some', attr('a'), yes),
      'operator "some" takes a collection reference as its first argument, got an attribute reference',
    ],
    [call('some', nested('span'), yes), 'operator "some" quantifies over "event" or "link", got level "span"'],
    [
      call('some', nested('event'), attr('a')),
      'operator "some" takes a predicate as its second argument, got an attribute reference',
    ],
    [
      call('some', nested('event'), inner('some', nested('event'), yes)),
      'operator "some" is already quantifying over "event", and this version does not define what a nested one would bind',
    ],
  ])('%j', (message, text) => {
    expect(() => parsed(message)).toThrow(`invalid query filter: ${text}`);
  });

  test.each<[string, string]>([
    ['{', 'unexpected end of JSON input'],
    ['[]', 'json: cannot unmarshal array into Go value of type expression.Call'],
    ['null', 'json: cannot unmarshal null into Go value of type expression.Call'],
    ['{"op":5}', 'json: cannot unmarshal number into Go value of type string'],
    ['{"op":"eq","args":{}}', 'json: cannot unmarshal object into Go value of type []Expression'],
    ['{"operator":"eq"}', 'unknown field "operator" in expression.Call'],
    ['{"__proto__":1}', 'unknown field "__proto__" in expression.Call'],
    [
      '{"op":"exists","args":[{}]}',
      'filter argument is empty: exactly one of attr, field, nested, scalar, list or call must be set',
    ],
    [
      '{"op":"exists","args":[{"attr":{"key":"a"},"scalar":{}}]}',
      'filter argument is two things: exactly one of attr, field, nested, scalar, list or call must be set',
    ],
    [
      '{"op":"eq","args":[{"attr":{"key":"a"}},{"scalar":{"value":"x","type":"int"}}]}',
      'filter constant "x" is not the "int" it declares',
    ],
    [
      '{"op":"eq","args":[{"attr":{"key":"a"}},{"scalar":{"value":"1e400","type":"double"}}]}',
      'filter constant "1e400" is not the "double" it declares',
    ],
    [
      '{"op":"eq","args":[{"attr":{"key":"a"}},{"scalar":{"value":"x","type":"date"}}]}',
      'filter constant "x" declares the unknown type "date"',
    ],
    [
      '{"op":"in","args":[{"attr":{"key":"a"}},{"list":{"values":[1],"type":"int"}}]}',
      'json: cannot unmarshal number into Go value of type string',
    ],
  ])('%s', (text, message) => {
    expect(() => parseFilterJson(text)).toThrow(message);
  });

  test('what is too deep, too long or too large says its bound', () => {
    expect(() => parsed(deep(limits.filterDepthMax))).not.toThrow();
    expect(() => parsed(deep(limits.filterDepthMax + 1))).toThrow('filter nests calls more than 20 deep');
    const many = Array.from({ length: limits.filterTermsMax / 2 }, () => yes);
    expect(() => parsed(call('or', ...many))).toThrow('filter has more than 1000 terms');
    const values = Array.from({ length: limits.filterTermsMax }, String);
    expect(() => parsed(call('in', attr('a'), list(values, 'int')))).toThrow('filter has more than 1000 terms');
    expect(() => parsed(call('regex', attr('a'), scalar('x'.repeat(1_001))))).toThrow(
      'a pattern of 1001 characters; 1000 are allowed',
    );
    expect(() => parsed(call('regex', attr('a'), scalar('.{1000}'.repeat(2))))).toThrow('1024 are allowed');
    const patterns = Array.from({ length: limits.patternsMax + 1 }, () => inner('regex', attr('a'), scalar('x')));
    expect(() => parsed(call('or', ...patterns))).toThrow('filter has more than 10 regular expressions');
    expect(() => parsed(call('or', ...patterns.slice(1)))).not.toThrow();
  });

  test('a filter beside the conditions it replaces', () => {
    const query: TraceQuery = {
      service: undefined,
      operation: undefined,
      tags: [],
      startMinNs: 0n,
      startMaxNs: 1n,
      durationMinNs: undefined,
      durationMaxNs: undefined,
      limit: 1,
    };
    expect(() => checkFilterStandsAlone(query)).not.toThrow();
    const all = {
      service: 's',
      operation: 'o',
      tags: [{ key: 'k', value: 'v' }],
      durationMinNs: 1n,
      durationMaxNs: 1n,
    };
    expect(() => checkFilterStandsAlone({ ...query, ...all })).toThrow(
      'invalid query filter: it cannot be combined with [service_name operation_name duration_min duration_max attributes]; express those predicates in the filter instead',
    );
  });
});
