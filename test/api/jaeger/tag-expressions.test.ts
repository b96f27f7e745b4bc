// Tags that say more than equality, where they are allowed (contract/jaeger.md, C18).
import { expect, test } from 'vitest';
import { limits } from '../../../src/base/limits.ts';
import { parseTraceSearch } from '../../../src/api/jaeger/jaeger-params.ts';
import { parseV3Search } from '../../../src/api/jaeger/jaeger-v3-search.ts';
import { QueryString } from '../../../src/api/go/query-string.ts';
import { tagConditions } from '../../../src/api/jaeger/tag-expressions.ts';
import type { TagCondition } from '../../../src/trace/trace-query.ts';

test.each<[string, string, TagCondition]>([
  ['k', 'v', { key: 'k', value: 'v' }],
  ['k', '~re.*', { key: 'k', value: 're.*', isPattern: true }],
  ['k!', 'v', { key: 'k', value: 'v', isNegated: true }],
  ['k!', '~re.*', { key: 'k', value: 're.*', isPattern: true, isNegated: true }],
  ['k!!', '~~', { key: 'k!', value: '~', isPattern: true, isNegated: true }],
  ['!', 'v', { key: '!', value: 'v' }],
  ['k', 'v~', { key: 'k', value: 'v~' }],
])('%s=%s', (key, value, condition) => {
  expect(tagConditions([[key, value]], true)).toEqual([condition]);
  expect(tagConditions([[key, value]], false)).toEqual([{ key, value }]);
});

test('a pattern that is none is refused, where patterns are allowed', () => {
  const message = 'tag "k": the value is no pattern in RE2 syntax: error parsing regexp: missing closing ): `(`';
  expect(() => tagConditions([['k', '~(']], true)).toThrow(message);
  expect(tagConditions([['k', '~(']], false)).toEqual([{ key: 'k', value: '~(' }]);
});

test('too many patterns are refused', () => {
  const entries = Array.from({ length: limits.patternsMax + 1 }, (_, i) => [`k${i}`, '~x'] as const);
  expect(() => tagConditions(entries, true)).toThrow('tags: 11 regular expressions; 10 are allowed');
  expect(tagConditions(entries.slice(1), true)).toHaveLength(limits.patternsMax);
  expect(tagConditions(entries, false)).toHaveLength(limits.patternsMax + 1);
});

test('both generations of the API take them, in every spelling of tags', () => {
  const context = { nowMs: 0, maxTraces: 10 };
  const json = encodeURIComponent('{"k":"~a","l!":"b"}');
  const v1 = new QueryString(`service=s&tags=${json}&tag=m!:~c:d`);
  const times = 'query.startTimeMin=2026-11-20T10:00:00Z&query.startTimeMax=2026-11-20T12:00:00Z';
  const v3 = new QueryString(`query.attributes=${json}&${times}`);
  const conditions = [
    { key: 'k', value: 'a', isPattern: true },
    { key: 'l', value: 'b', isNegated: true },
  ];
  const m = { key: 'm', value: 'c:d', isPattern: true, isNegated: true };
  expect(parseTraceSearch(v1, { ...context, hasTagExpressions: true }).query.tags).toEqual([m, ...conditions]);
  expect(parseV3Search(v3, 10, true).query.tags).toEqual(conditions);
  expect(parseTraceSearch(v1, context).query.tags[0]).toEqual({ key: 'm!', value: '~c:d' });
  expect(parseV3Search(v3, 10).query.tags[0]).toEqual({ key: 'k', value: '~a' });
});
