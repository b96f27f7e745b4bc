// Users' regular expressions: RE2's syntax, linear time, bounded size.
import { describe, expect, test } from 'vitest';
import { compilePattern } from '../../src/trace/pattern.ts';

function matches(pattern: string, text: string): boolean {
  const bytes = Buffer.from(`<${text}>`);
  return compilePattern(pattern).test(bytes, 1, bytes.length - 1);
}

test.each<[string, string, boolean]>([
  ['cart', 'POST /cart', true],
  ['cart$', 'POST /cart', true],
  ['^cart', 'POST /cart', false],
  ['^$', '', true],
  ['a.c', 'aéc', true],
  ['(?i)ÉTÉ', 'été', true],
  ['^.$', '🐎', true],
  ['\\d+', 'x', false],
  ['<', 'x', false],
])('%s in %j: %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

describe('refused', () => {
  test.each(['(', 'a{2,1}', '(?=a)', '\\1', '*', 'a{1001}', '(a{1000}){1000}'])('%s', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow('error parsing regexp');
  });
  test('too long, or too large when its repetitions are written out', () => {
    expect(() => compilePattern('x'.repeat(1_001))).toThrow('1001 characters; 1000 are allowed');
    expect(() => compilePattern('.{1000}'.repeat(2))).toThrow('instructions');
  });
});

// 2^50000 ways to split the text: an engine that tries them one after the other would not come back.
test.each(['(a*)*b', '(a|aa)+$b', '(a|a?)+c'])('%s against 50,000 letters ends', (pattern) => {
  expect(matches(pattern, 'a'.repeat(50_000))).toBe(false);
});

test('between texts that are long work together it is asked whether to go on; one that is too long is refused', () => {
  const text = Buffer.alloc(1 << 20, 'a');
  let asked = 0;
  const pattern = compilePattern('x[0-9]', () => asked++);
  for (let i = 0; i < 100; i++) pattern.test(text, 0, 1_000);
  expect(asked).toBe(0);
  for (let i = 0; i < 5; i++) pattern.test(text, 0, text.length);
  expect(asked).toBe(5);
  const large = compilePattern('(?:a|b){300}');
  expect(() => large.test(text, 0, text.length)).toThrow(/a pattern of \d+ instructions met a text of 1048576 bytes/);
});
