// Doubles in text, as Go reads them.
import { expect, test } from 'vitest';
import { parseGoFloat } from '../../../src/api/go/go-float.ts';

test.each<[string, number | undefined]>([
  ['0', 0],
  ['-0', -0],
  ['1.50', 1.5],
  ['.5', 0.5],
  ['5.', 5],
  ['+1e3', 1000],
  ['1E-2', 0.01],
  ['007', 7],
  ['inf', Infinity],
  ['+Inf', Infinity],
  ['-Infinity', -Infinity],
  ['NaN', NaN],
  ['1e400', undefined],
  ['', undefined],
  ['.', undefined],
  ['e5', undefined],
  [' 1', undefined],
  ['1_000', undefined],
  ['0x10', undefined],
  ['infinit', undefined],
])('%j', (text, value) => {
  expect(parseGoFloat(text)).toBe(value);
});
