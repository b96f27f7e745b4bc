import { expect, test } from 'vitest';
import { QueryString, unescapePercent } from '../../../src/api/go/query-string.ts';

test('pairs are read as Go reads them', () => {
  const query = new QueryString('a=1&a=2&bare&empty=&sp=x+y&enc=%2B%C3%BC&=v&bad=%zz&semi=1;b=2&eq=x=y&&last=1');
  expect(query.all('a')).toEqual(['1', '2']);
  expect(
    ['a', 'bare', 'empty', 'sp', 'enc', '', 'bad', 'semi', 'eq', 'last', 'none'].map((key) => query.first(key)),
  ).toEqual(['1', '', '', 'x y', '+ü', 'v', '', '', 'x=y', '1', '']);
  expect([query.all('empty'), query.all('none')]).toEqual([[], []]);
});

test('every name occurs in names(), also where its pair is left out', () => {
  const query = new QueryString('a=1&a=2&bare&bad=%zz&semi=1;hidden=2&%65nc%5B%5D=x&%zz=1');
  expect([...query.names()]).toEqual(['a', 'bare', 'bad', 'semi', 'hidden', 'enc[]', '%zz']);
});

test.each([
  ['a%2Fb', 'a/b'],
  ['a+b', 'a+b'],
  ['100%25', '100%'],
  ['%c3%bc', 'ü'],
  ['%ff', '\ufffd'],
  ['100%', undefined],
  ['%2', undefined],
])('%s unescapes to %s', (text, expected) => {
  expect(unescapePercent(text)).toBe(expected);
});
