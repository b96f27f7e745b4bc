import { describe, expect, test } from 'vitest';
import { blank, findCycle, readSource } from './source-tree.ts';

describe('blanking', () => {
  test.each<[string, string, string]>([
    ['a line comment', 'a // any\nb', 'a       \nb'],
    ['a block comment over lines', 'a /* x\ny */ b', 'a     \n     b'],
    ['a string', "f('any')", 'f(     )'],
    ['an escaped quote', "f('a\\'b', c)", 'f(      , c)'],
    ['what looks like a comment in a string', "f('http://x') // y", 'f(          )     '],
    ['a template around code', 'f(`a${b + `c${d}`}e`)', 'f(    b +     d     )'],
    ['braces inside a template', 'f(`${{ a: 1 }.a}x`) + g', 'f(   { a: 1 }.a   ) + g'],
    ['a regex with a quote', 'x = /[\'"]/g; y', 'x =        ; y'],
    ['a regex with a slash in a class', 'f(/[/]/) // z', 'f(     )     '],
    ['no regex in a division', 'a / b / c', 'a / b / c'],
  ])('takes %s', (_claim, text, expected) => {
    expect(blank(text, true)).toBe(expected);
  });

  test('keeps strings when only comments are to go', () => {
    expect(blank("import 'a'; // 'b'", false)).toBe("import 'a';       ");
  });
});

test('a source file names what it imports', () => {
  const file = readSource('src/config.ts');
  expect(file.imports).toContain('src/base/errors.ts');
  expect(file.packages).toEqual(['node:fs']);
});

describe('a cycle', () => {
  test('is found by its members', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', []],
      ['d', ['b']],
    ]);
    expect(findCycle(edges)).toEqual(['b', 'd']);
  });

  test('is not where paths only meet again', () => {
    expect(
      findCycle(
        new Map([
          ['a', ['b', 'c']],
          ['b', ['d']],
          ['c', ['d']],
          ['d', []],
        ]),
      ),
    ).toBeUndefined();
  });
});
