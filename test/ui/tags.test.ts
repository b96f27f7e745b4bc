// The field for tags: what is typed, as conditions.
import { expect, test } from 'vitest';
import { parseTags } from '../../src/ui/tags.ts';

test.each<[string, [string, string, string][]]>([
  ['', []],
  ['  ', []],
  ['a=1', [['a', '=', '1']]],
  [
    ' http.status_code=500   user.id=7 ',
    [
      ['http.status_code', '=', '500'],
      ['user.id', '=', '7'],
    ],
  ],
  [
    'q="SELECT 1 = 1" b=',
    [
      ['q', '=', 'SELECT 1 = 1'],
      ['b', '=', ''],
    ],
  ],
  [String.raw`q="say \"hi\" \\ x"`, [['q', '=', String.raw`say "hi" \ x`]]],
  ['url=http://x/?a=b', [['url', '=', 'http://x/?a=b']]],
  ['__proto__=1', [['__proto__', '=', '1']]],
  [
    'a>=500 b<2.5 c!="x y" d=~^GET e>1 f<=3 g=a<b',
    [
      ['a', '>=', '500'],
      ['b', '<', '2.5'],
      ['c', '!=', 'x y'],
      ['d', '=~', '^GET'],
      ['e', '>', '1'],
      ['f', '<=', '3'],
      ['g', '=', 'a<b'],
    ],
  ],
])('%j', (text, tags) => {
  expect(parseTags(text)?.map(({ key, comparison, value }) => [key, comparison, value])).toEqual(tags);
});

test.each(['a', '=1', 'a="b', 'a="b"c', '"a"=b', 'a=b c', '>5', 'a!b', '!a=b'])('%j is no list of tags', (text) => {
  expect(parseTags(text)).toBeUndefined();
});
