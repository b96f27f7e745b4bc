// What an answer says of the nodes that it was made without.
import { expect, test } from 'vitest';
import { partialHeader, warningsOf } from '../../../src/api/edge/partial-answers.ts';

test('a complete answer says nothing', () => {
  expect(partialHeader({ warnings: ['a block'] })).toBeUndefined();
  expect(partialHeader({ warnings: [], missing: [] })).toBeUndefined();
  expect(warningsOf({ warnings: ['a block'] })).toEqual(['a block']);
});

test('missing nodes are named for programs and for people', () => {
  const missing = [
    { node: 'a', reason: 'refused' },
    { node: 'b\u00fc\n', reason: 'late' },
    { node: 'a', reason: 'refused again' },
  ];
  expect(partialHeader({ warnings: [], missing })).toBe('a,b??');
  expect(warningsOf({ warnings: ['a block'], missing })).toEqual([
    'without what node a stores: refused',
    'without what node b\u00fc\n stores: late',
    'without what node a stores: refused again',
    'a block',
  ]);
});
