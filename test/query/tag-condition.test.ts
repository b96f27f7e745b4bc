// What a client's key and value mean: where they are looked for, and which stored values they equal.
import { describe, expect, test } from 'vitest';
import {
  compileTag,
  LEVEL_ALL,
  LEVEL_RESOURCE,
  LEVEL_SCOPE,
  LEVEL_SPAN,
  TextMatcher,
  type Way,
} from '../../src/query/tag-condition.ts';
import * as T from '../../src/trace/templates.ts';

const anywhere = (key: string): Way => ({ kind: 'attribute', key: Buffer.from(key), levels: LEVEL_ALL });
const at = (key: string, levels: number): Way => ({ kind: 'attribute', key: Buffer.from(key), levels });

test.each<[string, string, Way[]]>([
  ['http.method', 'GET', [anywhere('http.method')]],
  ['ключ', 'x', [anywhere('ключ')]],
  ['span.kind', 'server', [{ kind: 'span-kind', value: 2 }, anywhere('span.kind')]],
  ['span.kind', 'CLIENT', [{ kind: 'span-kind', value: 3 }, anywhere('span.kind')]],
  ['span.kind', 'unspecified', [{ kind: 'span-kind', value: 0 }, anywhere('span.kind')]],
  ['span.kind', 'nonsense', [anywhere('span.kind')]],
  ['span.status', 'Error', [{ kind: 'status', value: 2 }, anywhere('span.status')]],
  ['otel.status_code', 'OK', [{ kind: 'status', value: 1 }, anywhere('otel.status_code')]],
  ['otel.status_code', 'unset', [{ kind: 'status', value: 0 }, anywhere('otel.status_code')]],
  [
    'otel.status_description',
    'x',
    [{ kind: 'intrinsic', field: T.FIELD_STATUS_MESSAGE }, anywhere('otel.status_description')],
  ],
  ['w3c.tracestate', 'a=b', [{ kind: 'intrinsic', field: T.FIELD_TRACE_STATE }, anywhere('w3c.tracestate')]],
  ...['scope.name', 'otel.scope.name', 'otel.library.name'].map((key): [string, string, Way[]] => [
    key,
    'x',
    [{ kind: 'scope-text', field: 1 }, anywhere(key)],
  ]),
  ...['scope.version', 'otel.scope.version', 'otel.library.version'].map((key): [string, string, Way[]] => [
    key,
    'x',
    [{ kind: 'scope-text', field: 2 }, anywhere(key)],
  ]),
  ['event', 'retry', [{ kind: 'event-name' }, anywhere('event')]],
  ['resource.zone', 'b', [anywhere('resource.zone'), at('zone', LEVEL_RESOURCE)]],
  ['resource_attr:zone', 'b', [anywhere('resource_attr:zone'), at('zone', LEVEL_RESOURCE)]],
  ['scope_attr:k', 'b', [anywhere('scope_attr:k'), at('k', LEVEL_SCOPE)]],
  ['span_attr:k', 'b', [anywhere('span_attr:k'), at('k', LEVEL_SPAN)]],
  ['resource.', 'b', [anywhere('resource.')]],
])('%s=%s', (key, value, ways) => {
  const compiled = compileTag({ key, value });
  expect([compiled.ways, compiled.isNegated, compiled.value.text]).toEqual([ways, false, value]);
});

test('error is the status or an attribute of the span; error=false is neither', () => {
  const ways: Way[] = [{ kind: 'status', value: 2 }, at('error', LEVEL_SPAN)];
  expect(compileTag({ key: 'error', value: 'true' })).toMatchObject({
    ways,
    isNegated: false,
    value: { text: 'true' },
  });
  expect(compileTag({ key: 'error', value: 'false' })).toMatchObject({
    ways,
    isNegated: true,
    value: { text: 'true' },
  });
  expect(compileTag({ key: 'error', value: 'timeout' })).toMatchObject({ ways: [anywhere('error')], isNegated: false });
});

describe('a text equals', () => {
  const arena = Buffer.from('..valueAP8=');
  const bytes = Uint8Array.of(0, 255);
  const int = (value: bigint): [number, number] => [
    Number(BigInt.asUintN(64, value) & 0xffffffffn),
    Number(BigInt.asUintN(64, value) >> 32n),
  ];
  const double = (value: number): [number, number] => {
    const words = new Uint32Array(Float64Array.of(value).buffer);
    return [words[0]!, words[1]!];
  };

  test.each<[string, number, [number, number], boolean]>([
    ['value', T.TYPE_STRING, [2, 5], true],
    ['value', T.TYPE_STRING, [2, 4], false],
    ['valuf', T.TYPE_STRING, [2, 5], false],
    ['', T.TYPE_STRING, [2, 0], true],
    ['true', T.TYPE_BOOL, [1, 0], true],
    ['false', T.TYPE_BOOL, [0, 0], true],
    ['1', T.TYPE_BOOL, [1, 0], false],
    ['TRUE', T.TYPE_BOOL, [1, 0], false],
    ['-5', T.TYPE_INT, int(-5n), true],
    ['0', T.TYPE_INT, int(0n), true],
    ['-0', T.TYPE_INT, int(0n), false],
    ['05', T.TYPE_INT, int(5n), false],
    ['+5', T.TYPE_INT, int(5n), false],
    ['9223372036854775807', T.TYPE_INT, int(2n ** 63n - 1n), true],
    ['9223372036854775808', T.TYPE_INT, int(-(2n ** 63n)), false],
    ['-9223372036854775808', T.TYPE_INT, int(-(2n ** 63n)), true],
    ['5', T.TYPE_DOUBLE, double(5), true],
    ['5.0', T.TYPE_DOUBLE, double(5), false],
    ['0.1', T.TYPE_DOUBLE, double(0.1), true],
    ['1e+21', T.TYPE_DOUBLE, double(1e21), true],
    ['-0', T.TYPE_DOUBLE, double(-0), true],
    ['NaN', T.TYPE_DOUBLE, double(NaN), true],
    ['+Inf', T.TYPE_DOUBLE, double(Infinity), true],
    ['-Inf', T.TYPE_DOUBLE, double(-Infinity), true],
    ['Infinity', T.TYPE_DOUBLE, double(Infinity), true],
    ['Inf', T.TYPE_DOUBLE, double(Infinity), false],
    ['', T.TYPE_EMPTY, [0, 0], true],
    ['', T.TYPE_ABSENT, [0, 0], true],
    ['x', T.TYPE_EMPTY, [0, 0], false],
  ])('%j: a value of type %d with words %j: %s', (text, type, [a, b], expected) => {
    expect(new TextMatcher(text).matches(type, a, b, arena)).toBe(expected);
  });

  test('bytes by base64, lists by JSON', () => {
    expect(new TextMatcher('AP8=').matches(T.TYPE_BYTES, 0, 2, bytes)).toBe(true);
    expect(new TextMatcher('AP8').matches(T.TYPE_BYTES, 0, 2, bytes)).toBe(false);
    const list = Uint8Array.of(0x2a, 4, 0x0a, 2, 0x18, 7);
    expect(new TextMatcher('[7]').matches(T.TYPE_RAW, 0, list.length, list)).toBe(true);
    expect(new TextMatcher('[8]').matches(T.TYPE_RAW, 0, list.length, list)).toBe(false);
  });
});

describe('a pattern', () => {
  const compiled = (key: string, value: string): ReturnType<typeof compileTag> =>
    compileTag({ key, value, isPattern: true });
  const bytesOf = (text: string): Buffer => Buffer.from(text);
  test.each<[string, number, number, number, string, boolean]>([
    ['^a.c$', T.TYPE_STRING, 0, 3, 'abc', true],
    ['^b', T.TYPE_STRING, 0, 3, 'abc', false],
    ['ru', T.TYPE_BOOL, 1, 0, '', true],
    ['^5', T.TYPE_INT, 500, 0, '', true],
    ['^-1$', T.TYPE_INT, 0xffff_ffff, 0xffff_ffff, '', true],
    ['^72\\.5$', T.TYPE_DOUBLE, 0, 0x4052_2000, '', true],
    ['^\\+Inf$', T.TYPE_DOUBLE, 0, 0x7ff0_0000, '', true],
    ['^YWI=$', T.TYPE_BYTES, 0, 2, 'ab', true],
    ['^$', T.TYPE_EMPTY, 0, 0, '', true],
    ['.', T.TYPE_EMPTY, 0, 0, '', false],
  ])('%s of type %i: %i %i %j: %s', (...[pattern, type, a, b, text, expected]) => {
    expect(compiled('k', pattern).value.matches(type, a, b, bytesOf(text))).toBe(expected);
  });

  test('is matched against kinds, statuses and being in error too', () => {
    expect(compiled('span.kind', '^(?:server|client)$').ways.slice(0, 2)).toEqual([
      { kind: 'span-kind', value: 2 },
      { kind: 'span-kind', value: 3 },
    ]);
    expect(compiled('otel.status_code', 'e').ways.slice(0, 2)).toEqual([
      { kind: 'status', value: 0 },
      { kind: 'status', value: 2 },
    ]);
    expect(compiled('error', '^t').ways[0]).toEqual({ kind: 'status', value: 2 });
    expect(compiled('error', '^f').ways[0]).toEqual(anywhere('error'));
  });

  test('matches bytes that are no UTF-8 by what Jaeger shows of them', () => {
    expect(compiled('k', '^/w==$').value.matches(T.TYPE_STRING, 0, 1, Uint8Array.of(0xff))).toBe(true);
  });

  test('is checked', () => {
    expect(() => compiled('k', '(')).toThrow('missing closing )');
  });
});

test('denial turns round what is asked, error=false too', () => {
  const negated = (key: string, value: string): boolean => compileTag({ key, value, isNegated: true }).isNegated;
  expect([negated('k', 'v'), negated('error', 'true'), negated('error', 'false')]).toEqual([true, true, false]);
});
