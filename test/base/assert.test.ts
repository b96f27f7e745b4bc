import { expect, test } from 'vitest';
import { assert, BugError } from '../../src/base/assert.ts';

test('a broken promise of our own is a BugError that says so', () => {
  expect(() => assert(false, 'row 3 after row 5')).toThrow(new BugError('row 3 after row 5'));
  expect(new BugError('x').message).toBe('BUG: x');
});

test('a promise that holds costs nothing and narrows the type', () => {
  const value: number | undefined = [3][0];
  assert(value !== undefined, 'there is one');
  expect(value.toFixed(1)).toBe('3.0');
});
