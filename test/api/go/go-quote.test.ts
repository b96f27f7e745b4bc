// Expected texts were printed by Go 1.26.
import { expect, test } from 'vitest';
import { goQuote, quoteForTime } from '../../../src/api/go/go-quote.ts';

test.each([
  ['plain', '"plain"', '"plain"'],
  ['a"b\\', '"a\\"b\\\\"', '"a\\"b\\\\"'],
  ['\n\t\u0007\u0001\u007f', '"\\n\\t\\a\\x01\\x7f"', '"\\x0a\\x09\\x07\\x01\u007f"'],
  ['é🐎', '"é🐎"', '"\\xc3\\xa9\\xf0\\x9f\\x90\\x8e"'],
  ['\u200b\u00a0\u2028', '"\\u200b\\u00a0\\u2028"', '"\\xe2\\x80\\x8b\\xc2\\xa0\\xe2\\x80\\xa8"'],
])('%j', (text, quoted, inTime) => {
  expect([goQuote(text), quoteForTime(text)]).toEqual([quoted, inTime]);
});
