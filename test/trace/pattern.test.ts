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
    expect(() => compilePattern('.{1000}'.repeat(6))).toThrow('instructions');
  });
});

// 2^50000 ways to split the text: an engine that tries them one after the other would not come back.
test.each(['(a*)*b', '(a|aa)+$b', '(a|a?)+c'])('%s against 50,000 letters ends at once', (pattern) => {
  const startMs = performance.now();
  expect(matches(pattern, 'a'.repeat(50_000))).toBe(false);
  expect(performance.now() - startMs).toBeLessThan(2_000);
});
